import { Registry } from '../../base/registry';
import type { Policy } from '../policy';
import { dynamicPolicy } from './dynamic';
import { fixedPolicy } from './fixed';
import { transientPolicy } from './transient';

/** Every policy a trace can be replayed under, in the order of display. */
export const policies = new Registry<Policy>([fixedPolicy, transientPolicy, dynamicPolicy]);
