// solve: decides conditions over expressions. Floor 2.
export { type Answer, Solver, type Values } from './solver.ts';
