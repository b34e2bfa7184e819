/**
 * Shell text: taken as written, so that backslashes reach the shell. Only a backslash before a brace expansion
 * (the template would take it) or a backtick goes.
 */
export function sh(parts: TemplateStringsArray, ...values: readonly string[]): string {
  const text = String.raw({ raw: parts.raw }, ...values);
  return text.replace(/\\(\$\{|`)/g, '$1').replace(/^\n/, '');
}

/** A word in single quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
