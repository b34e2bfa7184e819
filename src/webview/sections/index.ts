import { DevicesSection } from '../devices/devicesSection';
import { SlotMapSection } from '../slotMap/slotMapSection';
import type { PanelSection } from './section';

/** The self-contained sections of a trace with requests, in the order of the page; see `section.ts`. */
export const panelSections: readonly (() => PanelSection)[] = [() => new SlotMapSection(), () => new DevicesSection()];
