import { formatBytes } from '../base/format';
import { SLOT_BYTES } from '../model/units';
import { bounceAllSetting, type PolicySettings, type RunKey, type RunView } from '../protocol/views';
import { poolSlotsParam } from './fixedSizes';
import { policyLabel } from './words';

/** What a run is called in charts and tables; assumptions shared by all runs do not make it another one. */
export function labelOf(key: RunKey, { title, basis }: RunView, assumptions: PolicySettings): string {
  const slots = key.set[poolSlotsParam];
  const label = policyLabel(key.policy, title);
  if (key.policy === 'recorded') {
    return basis === 'modelled' ? `${label} (model)` : label;
  }
  const dry = key.set[bounceAllSetting] === true ? ', dry run' : '';
  const isChanged = Object.entries(key.set).some(
    ([name, value]) => name !== bounceAllSetting && name !== poolSlotsParam && assumptions[name] !== value,
  );
  const size = typeof slots === 'number' ? ` ${formatBytes(slots * SLOT_BYTES)}` : '';
  return `${label}${size}${isChanged ? ' (changed)' : ''}${dry}`;
}
