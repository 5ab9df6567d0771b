// telemetry: one file per source of what running containers did. Floor 2.
export * from './observation.ts';
