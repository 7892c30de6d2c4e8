// What the page Events makes of lens' answers; no element is touched here.

/** @typedef {{ partition: number, low: number, high: number, retained: number, oldest: string | null }} Partition */
/** @typedef {{ topic: string, dead_letters: boolean, partitions: Partition[], retained: number, oldest: string | null, rate: number | null }} Topic */
/** @typedef {{ group: string, topic: string, state: string | null, members: { client: string, host: string }[], lag: number, measured: boolean, oldest_age_seconds: number | null, partitions: { partition: number, lag: number, instance: string | null }[] }} Group */
/** @typedef {{ topics: Topic[], groups: Group[] }} Overview */
/** @typedef {{ id: string, topic: string, reason: string, error: string, attempts: number, group: string, event_type: string, event_id: string, key: string, time: string, trace_id: string, handled: string | null }} Letter */
/** @typedef {Letter & { headers: Header[], body: unknown, undecodable: string | null, hexadecimal: string | null, size: number }} WholeLetter */
/** @typedef {[name: string, value: string | null]} Header */
/** @typedef {{ topic: string, partition: number, offset: number, key: string, time: string | null, type: string, source: string, trace_id: string | null, headers: Header[], size: number, hexadecimal: string | null, body: unknown, error: string | null }} Event */
/** @typedef {{ order: string, records: Event[], topics: { topic: string, partition: number | null, complete: boolean, forgotten: boolean, error: string | null }[] }} Order */

/** A topic, or a group below its topic. @typedef {{ key: string, topic: Topic, group?: Group, dead?: Topic }} Row */

/** Topics in the order of an order's story; each is followed by the groups that read it. @param {Overview} overview @returns {Row[]} */
export function rowsOf({ topics, groups }) {
  const dead = new Map(topics.filter(({ dead_letters }) => dead_letters).map((topic) => [topic.topic, topic]));
  return topics
    .filter(({ dead_letters, partitions }) => !dead_letters && partitions.length)
    .sort((a, b) => rank(a.topic) - rank(b.topic) || a.topic.localeCompare(b.topic))
    .flatMap((topic) => [
      { key: topic.topic, topic, dead: dead.get(`${topic.topic}.dlq`) },
      ...groups.filter((group) => group.topic === topic.topic).map((group) => ({ key: `${topic.topic} ${group.group}`, topic, group })),
    ]);
}

const STORY = ["orders.events", "payments.events", "shipments.events", "inventory.events"];
const rank = (/** @type {string} */ topic) => (STORY.indexOf(topic) + STORY.length + 1) % (STORY.length + 1);

/** An event that waits as long is late: the alert about it waits longer. */
const LATE_SECONDS = 10;

/** How a group is. @param {Group} group @returns {{ level: "" | "warning" | "bad", word: string }} */
export function condition({ members, measured, lag, oldest_age_seconds: oldest, state }) {
  if (!members.length && (!measured || state)) return { level: "bad", word: "nothing reads it" };
  if (lag > 0 && (oldest ?? 0) >= LATE_SECONDS) return { level: "warning", word: "late" };
  if (state && state !== "Stable") return { level: "", word: state === "PreparingRebalance" || state === "CompletingRebalance" ? "rebalancing" : state.toLowerCase() };
  return { level: "", word: "" };
}

/** The last part of a type: `OrderPlaced`. @param {string} type */
export const brief = (type) => type.split(".").at(-1) || "no type";

/** A word of the chassis, for people. @param {string} word */
export const words = (word) => word.replaceAll("_", " ");

/** The dead letters with this text: as they are shown, or as they are stored. @param {Letter[]} letters @param {string} text */
export function lettersWith(letters, text) {
  const wanted = text.trim().toLowerCase();
  return letters.filter(({ id, reason, error, group, event_type, event_id, key }) => [id, reason, words(reason), error, group, event_type, event_id, key].some((part) => part.toLowerCase().includes(wanted)));
}

/** The service that sent a record, from `/mesh/orders`. @param {string} source */
export const sender = (source) => source.split("/").at(-1) ?? "";

/** What the reader of an order's events must know of what is missing. @param {Order} order @returns {string[]} */
export const gaps = ({ topics }) =>
  topics.flatMap(({ topic, complete, forgotten, error, partition }) => {
    if (error) return [`${topic} was not read: ${error}`];
    if (partition === null) return [`Kafka has no topic ${topic}`];
    if (!complete) return [`${topic} was read back only as far as fits: its older events are not shown`];
    if (forgotten) return [`Kafka has dropped older records of ${topic}`];
    return [];
  });

/** What will happen. @param {Letter} letter @param {"replay" | "discard"} how */
export function consequence({ topic, group, id }, how) {
  const reader = group || "its group";
  if (how === "replay") return `The event is sent to ${topic} again, for ${reader} alone. If ${reader} has handled it in the meantime, it passes over it. If it still fails, it becomes a dead letter again.`;
  return `${reader} will never handle this event, and the dead letter is no longer listed. The record itself stays in ${id.split("/")[0]} until Kafka drops it.`;
}
