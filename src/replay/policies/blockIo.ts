import type { Geometry } from '../../model/geometry';
import type { PolicyParam } from '../policy';
import type { ParamValues } from './boot';

/** Parameters of policies for which it matters whether a mapping is made for block I/O or may block. */
export const blockIoParams: readonly PolicyParam[] = [
  {
    name: 'unknownClass',
    title: 'Devices of unknown class count as: block or other',
    unit: '',
    default: 'other',
    source: 'no event names the class; set it per device, or try both',
    choices: ['other', 'block'],
  },
];

/** Which devices do block I/O, by row of the device table. */
export function blockDevices(geometry: Geometry, params: ParamValues): ReadonlySet<number> {
  const countsUnknown = params.get('unknownClass') === 'block';
  return new Set(
    geometry.devices
      .filter(({ deviceClass: { value } }) => value === 'block' || (value === 'unknown' && countsUnknown))
      .map((device) => device.device),
  );
}
