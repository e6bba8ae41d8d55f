// What Python sends: GraphView in agentflow_dagster/graph/view.py, and how nodes of a run stand.

export interface ViewPort {
  name: string;
  y: number;
  shown: boolean;
}

export interface ViewNode {
  id: string;
  name: string;
  kind: string;
  family: string;
  description: string;
  ports: ViewPort[];
  entry: number;
  x: number;
  y: number;
  width: number;
  height: number;
  parent: string | null;
  holds: boolean;
  sound: boolean;
}

export interface ViewEdge {
  id: string;
  source: string;
  port: string;
  target: string;
  role: 'required' | 'any' | 'optional';
  data: boolean;
  points: [number, number][];
}

export interface GraphView {
  agent: string;
  description: string;
  width: number;
  height: number;
  nodes: ViewNode[];
  edges: ViewEdge[];
}

export type State =
  | 'waiting'
  | 'running'
  | 'retrying'
  | 'suspended'
  | 'done'
  | 'handled'
  | 'failed'
  | 'skipped'
  | 'canceled'
  | 'stale';

export interface NodeState {
  state: State;
  /** Unix seconds, while it runs. */
  since?: number | null;
  /** Seconds that it took. */
  seconds?: number | null;
  tokens?: number;
  /** USD; null where a price is not known. */
  cost?: number | null;
  /** By which port it has left. */
  port?: string;
  error?: string;
}

export type NodeStates = Record<string, NodeState>;
