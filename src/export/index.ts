// export: policies in other tools' formats, one file a format. Floor 3.
export { chainStates, DOT_DEFAULTS, type DotOptions, policyToDot } from './dot.ts';
export { policyToSvg } from './svg.ts';
