import { scriptTests } from './run-scripts.ts';

scriptTests('files');
