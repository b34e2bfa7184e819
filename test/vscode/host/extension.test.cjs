// Inside the extension host, with the real `vscode` module, against the installed package.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const vscode = require('vscode');

const extensionId = 'swiotlb-lens.swiotlb-lens';
const languageId = 'swiotlb-trace';

async function until(what, check, timeoutMs = 30_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const workspaceFile = (name) => vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, name);

async function open(name) {
  const document = await vscode.workspace.openTextDocument(workspaceFile(name));
  await vscode.window.showTextDocument(document);
  return document;
}

function diagnosticsOf(uri) {
  return vscode.languages.getDiagnostics(uri).filter((diagnostic) => diagnostic.source?.startsWith('swiotlb'));
}

function untilDiagnostics(uri) {
  return until(`diagnostics of ${path.basename(uri.path)}`, () => {
    const found = diagnosticsOf(uri);
    return found.length > 0 && found;
  });
}

async function hoverAt(uri, line, character) {
  return until(`a hover at line ${line + 1}`, async () => {
    const hovers = await vscode.commands.executeCommand(
      'vscode.executeHoverProvider',
      uri,
      new vscode.Position(line, character),
    );
    return hovers.flatMap((hover) => hover.contents).find((content) => content.value);
  });
}

/** Zero-based number of the first line that matches. */
function lineWith(document, pattern) {
  const line = document
    .getText()
    .split('\n')
    .findIndex((text) => pattern.test(text));
  assert.notEqual(line, -1, `no line matches ${pattern}`);
  return line;
}

describe('the installed package', () => {
  afterEach(() => vscode.commands.executeCommand('workbench.action.closeAllEditors'));

  it('is the package, not a development folder', () => {
    const extension = vscode.extensions.getExtension(extensionId);
    assert.ok(extension);
    assert.ok(!fs.existsSync(path.join(extension.extensionPath, 'src')));
  });

  it('registers exactly the commands its manifest declares', async () => {
    await vscode.extensions.getExtension(extensionId).activate();
    const { commands } = vscode.extensions.getExtension(extensionId).packageJSON.contributes;
    const registered = (await vscode.commands.getCommands(true)).filter((id) => id.startsWith('swiotlbLens.'));
    assert.deepEqual(
      // VS Code adds commands of its own for every view; internal ones are buttons.
      registered.filter((id) => !/^swiotlbLens\.\w+\./.test(id)).sort(),
      commands
        .map((command) => command.command)
        .filter((id) => !id.startsWith('swiotlbLens.internal.'))
        .sort(),
    );
  });

  it('knows a trace by its name', async () => {
    assert.equal((await open('capture/trace.txt')).languageId, languageId);
    assert.equal((await open('capture/dmesg.txt')).languageId, languageId);
  });

  it('knows a log and a trace by their content', async () => {
    for (const name of ['console-log-only.txt', 'hostile.txt']) {
      const { uri } = await open(name);
      await until(`the language of ${name}`, () =>
        vscode.workspace.textDocuments.some(
          (document) => document.uri.path === uri.path && document.languageId === languageId,
        ),
      );
    }
  });

  it('leaves other text alone', async () => {
    const { uri: log } = await open('console-log-only.txt');
    const { uri } = await open('notes.txt');
    // The log was opened first, so by the time it has diagnostics the notes have been looked at as well.
    await untilDiagnostics(log);
    const notes = vscode.workspace.textDocuments.find((document) => document.uri.path === uri.path);
    assert.equal(notes.languageId, 'plaintext');
    assert.deepEqual(diagnosticsOf(uri), []);
  });

  it('puts a cause and a sentence on the event that failed, and leads to the kernel message', async () => {
    const document = await open('capture/trace.txt');
    const line = lineWith(document, /dma_addr=f{16} /);
    const diagnostics = await untilDiagnostics(document.uri);
    const found = diagnostics.find((diagnostic) => diagnostic.range.start.line === line);
    assert.ok(found, `lines with diagnostics: ${diagnostics.map((diagnostic) => diagnostic.range.start.line + 1)}`);
    assert.match(document.getText(found.range), /^dma_map_page: 0000:00:05\.0/);
    // A retry succeeded right after it: nothing was lost.
    assert.equal(found.severity, vscode.DiagnosticSeverity.Warning);
    assert.match(String(found.code?.value ?? found.code), /^fragmented/);
    assert.match(found.message, /^Fragmented: needs 62 slots/);
    const message = lineWith(document, /swiotlb buffer is full/);
    const related = found.relatedInformation.map(
      ({ location }) => `${path.basename(location.uri.path)}:${location.range.start.line}`,
    );
    assert.ok(related.includes(`trace.txt:${message}`), related.join(' '));
    assert.ok(
      related.some((place) => place.startsWith('dmesg.txt:')),
      related.join(' '),
    );
  });

  it('says what happened to a mapping', async () => {
    const document = await open('capture/trace.txt');
    const line = lineWith(document, /dma_map_page: 0000:00:07\.0 .*dma_addr=7da2b000 /);
    const { value } = await hoverAt(document.uri, line, document.lineAt(line).text.indexOf('dma_addr=') + 12);
    assert.match(value, /1 slot/);
    assert.match(value, /0000:00:07\.0/);
    assert.match(value, /to device/);
  });

  it('explains a log without any trace', async () => {
    const document = await open('console-log-only.txt');
    const diagnostics = await untilDiagnostics(document.uri);
    const first = lineWith(document, /swiotlb buffer is full/);
    assert.ok(
      diagnostics.some((diagnostic) => diagnostic.range.start.line === first && /Fragmented/.test(diagnostic.message)),
    );
    // A flood is one finding: of its lines only the first is loud.
    const loud = diagnostics.filter((diagnostic) => diagnostic.severity <= vscode.DiagnosticSeverity.Warning);
    assert.deepEqual(
      loud.map((diagnostic) => diagnostic.range.start.line),
      [first],
    );
  });

  it('gives a pasted log its language and its diagnostics', async () => {
    const document = await vscode.workspace.openTextDocument({ content: '', language: 'plaintext' });
    const editor = await vscode.window.showTextDocument(document);
    const text =
      '[    0.871231] software IO TLB: mapped [mem 0x000000007d98e000-0x000000007db8e000] (2MB)\n' +
      '[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full (sz: 524288 bytes), total 32768 (slots), used 3 (slots)\n';
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), text));
    const uri = document.uri;
    await until('the language of the pasted text', () =>
      vscode.workspace.textDocuments.some(
        (open) => open.uri.toString() === uri.toString() && open.languageId === languageId,
      ),
    );
    const [diagnostic] = await untilDiagnostics(uri);
    assert.equal(diagnostic.range.start.line, 1);
    assert.match(diagnostic.message, /^Over-size/);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });

  it('shows a hostile device name as text', async () => {
    const document = await open('hostile.txt');
    await untilDiagnostics(document.uri);
    const line = lineWith(document, /dma_map_page/);
    const content = await hoverAt(document.uri, line, document.lineAt(line).text.indexOf('dma_addr=') + 12);
    assert.ok(!content.supportHtml);
    assert.ok(!/(^|[^\\])<img/.test(content.value), content.value);
    assert.match(content.value, /img/);
  });

  it('follows an edit', async () => {
    const document = await open('hostile.txt');
    await untilDiagnostics(document.uri);
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, new vscode.Range(0, 0, document.lineCount, 0), 'nothing of a kernel\n');
    await vscode.workspace.applyEdit(edit);
    await until('the diagnostics to go', () => !diagnosticsOf(document.uri).some((each) => each.severity === 0));
    await vscode.commands.executeCommand('workbench.action.files.revert');
  });

  it('opens the sample beside its log', async () => {
    await vscode.commands.executeCommand('swiotlbLens.openSample', 'full-1MiB');
    const document = await until('the sample', () =>
      vscode.workspace.textDocuments.find(
        (open) => /media\/samples\//.test(open.uri.path) && open.languageId === languageId,
      ),
    );
    assert.ok((await untilDiagnostics(document.uri)).length > 0);
  });

  it('writes an anonymised copy beside a log and opens it', async () => {
    const log = await open('console-log-only.txt');
    await untilDiagnostics(log.uri);
    await vscode.commands.executeCommand('swiotlbLens.anonymize');
    const copy = await until('the copy', () =>
      vscode.workspace.textDocuments.find((document) => document.uri.path.endsWith('console-log-only.anonymised.txt')),
    );
    assert.equal(copy.lineCount, log.lineCount);
    assert.match(copy.getText(), /swiotlb buffer is full \(sz: \d+ bytes\)/);
    const found = (await untilDiagnostics(copy.uri)).map((diagnostic) => diagnostic.range.start.line);
    assert.deepEqual(
      found,
      (await untilDiagnostics(log.uri)).map((diagnostic) => diagnostic.range.start.line),
    );
  });

  it('takes bad input calmly', async () => {
    const folder = vscode.workspace.workspaceFolders[0].uri.fsPath;
    fs.mkdirSync(path.join(folder, 'bad'));
    fs.writeFileSync(path.join(folder, 'bad', 'trace.txt'), '');
    fs.writeFileSync(path.join(folder, 'bad', 'dmesg.txt'), Buffer.from([1, 2, 200, 255, 10, 27, 7, 13, 10]));
    for (const name of ['bad/trace.txt', 'bad/dmesg.txt']) {
      const document = await open(name);
      const hovers = await vscode.commands.executeCommand(
        'vscode.executeHoverProvider',
        document.uri,
        new vscode.Position(0, 0),
      );
      assert.ok(Array.isArray(hovers));
      assert.ok(
        !diagnosticsOf(document.uri).some((diagnostic) => diagnostic.severity === vscode.DiagnosticSeverity.Error),
      );
    }
    // The server lives: another document is still analysed.
    const { uri } = await open('capture/trace.txt');
    await untilDiagnostics(uri);
  });
});
