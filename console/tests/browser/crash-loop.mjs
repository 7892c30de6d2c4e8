// A service that starts again and again, until an alert fires.
import { until } from "./wait.mjs";

const STARTED = 'process_start_time_seconds{service="notifications"}';

/** Three restarts within two minutes are a page; of `notifications`, because no order needs it. @param {import("./mesh.mjs").Mesh} mesh */
export async function crashLoop(mesh) {
  const started = async () => (await mesh.get(`/prometheus/api/v1/query?query=${encodeURIComponent(STARTED)}`)).data.result[0]?.value[1];
  for (let kill = 1; kill <= 3; kill += 1) {
    const before = await until("notifications is scraped", started, { seconds: 60 });
    await mesh.signal("notifications", "SIGKILL");
    await until("its restart is scraped", async () => {
      const now = await started();
      return now && now !== before;
    }, { seconds: 60 });
  }
}
