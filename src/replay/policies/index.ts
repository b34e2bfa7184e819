import { Registry } from '../../base/registry';
import type { Policy } from '../policy';
import { ccSwiotlbPolicy } from './ccSwiotlb';
import { dynamicPolicy } from './dynamic';
import { dynamicV4Policy } from './dynamicV4';
import { fixedPolicy } from './fixed';
import { growEarlyPolicy } from './growEarly';
import { lendPolicy } from './lend';
import { maySleepPolicy } from './maySleep';
import { privateSharedPolicy } from './privateShared';
import { restrictedPolicy } from './restricted';
import { rfcV1Policy } from './rfcV1';
import { rfcV2Policy } from './rfcV2';
import { shrinkPolicy } from './shrink';
import { throttlePolicy } from './throttle';
import { transientPolicy } from './transient';
import { watcherPolicy } from './watcher';

/** Every policy a trace can be replayed under, in the order of display: merged code first, then proposals. */
export const policies = new Registry<Policy>([
  fixedPolicy,
  transientPolicy,
  dynamicPolicy,
  dynamicV4Policy,
  rfcV1Policy,
  rfcV2Policy,
  maySleepPolicy,
  growEarlyPolicy,
  shrinkPolicy,
  watcherPolicy,
  lendPolicy,
  ccSwiotlbPolicy,
  restrictedPolicy,
  throttlePolicy,
  privateSharedPolicy,
]);
