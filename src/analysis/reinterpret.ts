import type { GeometryOverrides } from '../model/geometry';
import type { Analysis } from './analysis';
import { inferGeometry } from './geometry';

/** The same events on a kernel about which the user says something else. Nothing is read again. */
export function withOverrides(analysis: Analysis, overrides: GeometryOverrides): Analysis {
  return { ...analysis, overrides, geometry: inferGeometry(analysis.tables, overrides) };
}
