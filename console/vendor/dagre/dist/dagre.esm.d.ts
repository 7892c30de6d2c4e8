// The part of dagre's API that the console uses: the package's own types need a second package.

export class Graph {
  constructor(options?: { directed?: boolean; multigraph?: boolean; compound?: boolean });
  setGraph(label: Record<string, unknown>): this;
  graph(): { width?: number; height?: number };
  setDefaultEdgeLabel(label: () => Record<string, unknown>): this;
  setNode(id: string, label: Record<string, unknown>): this;
  setEdge(from: string, to: string, label?: Record<string, unknown>, name?: string): this;
  node(id: string): { x: number; y: number; width: number; height: number };
  edge(from: string, to: string, name?: string): { points: { x: number; y: number }[] };
}
export function layout(graph: Graph, options?: Record<string, unknown>): void;
