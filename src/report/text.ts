// Text for people: incidents, once all has been said.
import { printIncident } from '../monitor/index.ts';
import type { Report } from './report.ts';

/** Incidents that are printed; the rest is counted. */
export const MOST_INCIDENTS = 1_000;

export const textReport = (): Report => ({
  finding: () => '',
  end: ({ incidents, moreIncidents }) => {
    if (incidents.length === 0) return 'no findings\n';
    const more = Math.max(0, incidents.length - MOST_INCIDENTS) + moreIncidents;
    const rest = more > 0 ? `\nand ${more} more incidents\n` : '';
    return incidents.slice(0, MOST_INCIDENTS).map(printIncident).join('\n') + rest;
  },
});
