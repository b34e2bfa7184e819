import * as vscode from 'vscode';
import {
  type DeviceField,
  deviceClassNames,
  deviceFieldRules,
  type GeometryField,
  type GeometrySettings,
  geometryFieldRules,
  kernelGenerations,
} from '../../protocol/geometrySettings';
import type { GeometryRowView } from '../../protocol/sideViews';
import type { GeometryEdits } from '../geometryEdits';
import { fieldTitle, type GeometryTarget } from './traceTree';

/** Asks for a value and keeps it for the trace; everything that was derived from it follows. */
export async function editGeometry(edits: GeometryEdits, { uris, row }: GeometryTarget): Promise<void> {
  const [uri] = uris;
  if (row.field === 'pool' || uri === undefined) {
    return;
  }
  const value = await askFor(row, row.field);
  if (value !== undefined) {
    await edits.set(uris, withValue(edits.of(uri), row, value));
  }
}

/** Takes back what the user said about one field. */
export async function resetField(edits: GeometryEdits, { uris, row }: GeometryTarget): Promise<void> {
  const [uri] = uris;
  if (uri !== undefined) {
    await edits.set(uris, withValue(edits.of(uri), row, undefined));
  }
}

/** Takes back everything the user said about a trace. */
export async function resetAll(edits: GeometryEdits, uris: readonly string[]): Promise<void> {
  await edits.set(uris, {});
}

type Value = string | number | boolean;

async function askFor(row: GeometryRowView, field: GeometryField | DeviceField): Promise<Value | undefined> {
  const rule = isDeviceField(field) ? deviceFieldRules[field] : geometryFieldRules[field];
  const title = row.device === null ? fieldTitle(field) : `${fieldTitle(field)} · ${row.device}`;
  const choices = choicesOf(field);
  if (choices !== undefined) {
    const items = choices.map((choice) => ({
      label: choice.label,
      value: choice.value,
      picked: choice.value === row.value,
    }));
    const picked = await vscode.window.showQuickPick(items, { title, placeHolder: row.why });
    return picked === undefined ? undefined : (rule.read(picked.value) ?? undefined);
  }
  const typed = await vscode.window.showInputBox({
    title,
    prompt: row.why,
    value: row.value ?? '',
    placeHolder: rule.example,
    validateInput: (text) =>
      rule.read(text) === null ? vscode.l10n.t('Expected a value like {0}.', rule.example) : undefined,
  });
  return typed === undefined ? undefined : (rule.read(typed) ?? undefined);
}

function choicesOf(field: GeometryField | DeviceField): readonly { label: string; value: string }[] | undefined {
  switch (field) {
    case 'kernel':
      return kernelGenerations.map((value) => ({ label: `Linux ${value}`, value }));
    case 'deviceClass':
      return deviceClassNames.map((value) => ({ label: value, value }));
    case 'dynamic':
      return [
        { label: vscode.l10n.t('Yes'), value: 'yes' },
        { label: vscode.l10n.t('No'), value: 'no' },
      ];
    default:
      return undefined;
  }
}

/** `undefined` takes the value out. */
function withValue(settings: GeometrySettings, row: GeometryRowView, value: Value | undefined): GeometrySettings {
  const changed: Record<string, unknown> = { ...settings };
  const { field, device } = row;
  if (device === null) {
    setOrDelete(changed, field, value);
  } else {
    const byDevice = { ...(settings[field as DeviceField] as Record<string, Value> | undefined) };
    setOrDelete(byDevice, device, value);
    setOrDelete(changed, field, Object.keys(byDevice).length === 0 ? undefined : byDevice);
  }
  return changed as GeometrySettings;
}

function setOrDelete(record: Record<string, unknown>, key: string, value: unknown): void {
  if (value === undefined) {
    delete record[key];
  } else {
    record[key] = value;
  }
}

function isDeviceField(field: string): field is DeviceField {
  return Object.hasOwn(deviceFieldRules, field);
}
