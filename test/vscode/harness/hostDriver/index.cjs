// Entry point VS Code calls inside the extension host (extensionTestsPath), as with @vscode/test-electron.
const fs = require('node:fs');
const path = require('node:path');
const { format } = require('node:util');
const Mocha = require('mocha');

exports.run = () =>
  new Promise((resolve, reject) => {
    const folder = process.env.HARNESS_TESTS;
    const lines = [];
    const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, color: false, reporter: 'spec' });
    for (const file of fs.readdirSync(folder).sort()) {
      if (file.endsWith('.test.cjs')) mocha.addFile(path.join(folder, file));
    }
    const log = Mocha.reporters.Base.consoleLog;
    Mocha.reporters.Base.consoleLog = (...args) => {
      lines.push(format(...args));
      log(...args);
    };
    let runner;
    const finish = (failures, error) => {
      Mocha.reporters.Base.consoleLog = log;
      const result = {
        failures,
        stats: runner?.stats,
        error: error && (error.stack ?? String(error)),
        text: lines.join('\n'),
      };
      // Renamed when complete, so that nobody reads half a file.
      fs.writeFileSync(`${process.env.HARNESS_RESULT}.part`, JSON.stringify(result));
      fs.renameSync(`${process.env.HARNESS_RESULT}.part`, process.env.HARNESS_RESULT);
      if (failures) reject(new Error(`${failures} test(s) failed`));
      else resolve();
    };
    try {
      runner = mocha.run((failures) => finish(failures));
    } catch (error) {
      finish(1, error);
    }
  });
