// Walking the graph with arrow keys: right and left along edges, up and down in a column.

/** @param {import("./layout.js").Box} box */
const middle = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });

/**
 * The node that an arrow key leads to.
 * @param {string} key
 * @param {string} from
 * @param {import("./model.js").Mesh} mesh
 * @param {import("./layout.js").Layout} placed
 * @returns {string | undefined}
 */
export function next(key, from, mesh, placed) {
  const here = placed.boxes.get(from);
  if (!here) return;
  const at = middle(here);
  const away = (/** @type {string} */ id) => {
    const to = middle(/** @type {import("./layout.js").Box} */ (placed.boxes.get(id)));
    return { id, dx: to.x - at.x, dy: to.y - at.y };
  };
  const neighbours = [...mesh.edges.values()].flatMap(({ source, target }) => (source === from ? [target] : target === from ? [source] : []));
  const right = key === "ArrowRight";
  if (right || key === "ArrowLeft") {
    const ahead = neighbours.filter((id) => placed.boxes.has(id)).map(away).filter(({ dx }) => (right ? dx > 1 : dx < -1));
    return ahead.sort((a, b) => Math.hypot(a.dx, a.dy) - Math.hypot(b.dx, b.dy))[0]?.id;
  }
  const down = key === "ArrowDown";
  if (!down && key !== "ArrowUp") return;
  const column = [...placed.boxes.keys()].filter((id) => id !== from).map(away).filter(({ dx, dy }) => Math.abs(dx) < here.width / 2 && (down ? dy > 1 : dy < -1));
  return column.sort((a, b) => Math.abs(a.dy) - Math.abs(b.dy))[0]?.id;
}

/** @param {KeyboardEvent} event @param {import("./model.js").Mesh} mesh @param {import("./layout.js").Layout} placed @param {(id: string) => void} open */
export function walk(event, mesh, placed, open) {
  const from = event.target instanceof SVGElement ? event.target : null;
  const id = from?.dataset.node;
  if (!from || !id) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return open(id);
  }
  const to = next(event.key, id, mesh, placed);
  if (!to) return;
  event.preventDefault();
  /** @type {NodeListOf<SVGElement> | undefined} */
  const nodes = from.ownerSVGElement?.querySelectorAll("[data-node]");
  [...(nodes ?? [])].find((node) => node.dataset.node === to)?.focus();
}
