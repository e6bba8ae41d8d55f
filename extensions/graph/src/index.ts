export { AgentGraph, type AgentGraphProps } from './AgentGraph';
export { familyLook, stateLook, type Look } from './look';
export type { GraphView, NodeState, NodeStates, State, ViewEdge, ViewNode, ViewPort } from './types';
