import type { Paths } from '../base/platform';

/**
 * Paths of a browser window: locations with their scheme and authority, their names as people write them
 * (`vscode-vfs://github/owner/repository/my trace.txt`).
 */
const location = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)(\/[^?#]*)$/i;
/** As `location`, where `?` and `#` are letters of a name. */
const rootPattern = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i;

/** Null for texts that are no files, and for other versions of files (`git:…?…`). */
export function pathOf(uri: string): string | null {
  const [, root, names] = location.exec(uri) ?? [];
  if (root === undefined || names === undefined) {
    return null;
  }
  try {
    return root + decodeURIComponent(names);
  } catch {
    return null;
  }
}

/** Written as VS Code writes locations. */
export function uriOf(path: string): string {
  const root = rootOf(path);
  return root + path.slice(root.length).split('/').map(encodeName).join('/');
}

function encodeName(name: string): string {
  return encodeURIComponent(name).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function rootOf(path: string): string {
  return rootPattern.exec(path)?.[0] ?? '';
}

export const paths: Paths = {
  separator: '/',
  join: (folder, ...names) => [folder.replace(/\/$/, ''), ...names].join('/'),
  dirname: (path) => {
    const top = rootOf(path).length + 1;
    return path.slice(0, Math.max(top, path.lastIndexOf('/')));
  },
  basename: (path) => path.slice(path.lastIndexOf('/') + 1),
  relative: (folder, path) => (path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path),
};
