// A day's work with imapflow against a node: folders by their use, IDLE, flags, search, move, and a sync by MODSEQ.
// Usage: imapflow_day.js FOLDER_OF_NODE_MODULES PORT USER PASSWORD. Prints one line of JSON; exits 1 with what was wrong.
'use strict';

const assert = require('assert');
const path = require('path');

const [modules, port, user, password] = process.argv.slice(2);
const { ImapFlow } = require(path.join(modules, 'imapflow'));

function connect() {
  const client = new ImapFlow({
    host: '127.0.0.1', port: Number(port), secure: false, doSTARTTLS: false, logger: false, disableAutoIdle: true,
    auth: { user, pass: password }, clientInfo: { name: 'posthorn-test', version: '1' },
  });
  client.on('error', (error) => { throw error; });
  return client.connect().then(() => client);
}

function mail(subject) {
  return Buffer.from(`From: a@example.org\r\nTo: ${user}\r\nSubject: ${subject}\r\n\r\nText of ${subject}.\r\n`);
}

async function readFolders(client) {
  const uses = {};
  for (const folder of await client.list()) {
    if (folder.specialUse) uses[folder.specialUse] = folder.path;
  }
  for (const use of ['\\Inbox', '\\Drafts', '\\Sent', '\\Junk', '\\Trash', '\\Archive']) assert(uses[use], `no ${use}`);
  for (const capability of ['MOVE', 'CONDSTORE', 'ENABLE', 'ID', 'NAMESPACE', 'SPECIAL-USE', 'UIDPLUS', 'STATUS=SIZE']) {
    assert(client.capabilities.has(capability), capability);
  }
  assert.strictEqual(client.namespace.delimiter, '/');
  assert.strictEqual(client.serverInfo.name, 'Posthorn');
  assert(client.enabled.has('CONDSTORE'), 'CONDSTORE was not enabled');
  return uses;
}

// How long each of three mails that another session appends takes to reach the one that idles.
async function idle(reader, writer) {
  const waits = [];
  const idling = reader.idle();
  for (let i = 0; i < 3; ++i) {
    const heard = new Promise((resolve) => reader.once('exists', () => resolve(performance.now())));
    await writer.append('INBOX', mail(`news ${i}`));
    const appended = performance.now();
    waits.push(await heard - appended);
  }
  await reader.noop();  // Ends the IDLE.
  await idling;
  assert(Math.max(...waits) < 1000, `news took ${Math.max(...waits)} ms`);
  return Math.max(...waits);
}

async function work(client, other, uses) {
  await client.messageFlagsAdd('1', ['\\Seen', '$Later']);
  assert.deepStrictEqual(await client.search({ keyword: '$Later' }, { uid: true }), [1]);
  assert.deepStrictEqual(await client.search({ subject: 'news 2', seen: false }, { uid: true }), [3]);
  assert.deepStrictEqual(await client.search({ body: 'Text of news 1' }), [2]);
  const known = client.mailbox.highestModseq;
  await other.mailboxOpen('INBOX');
  await other.messageFlagsAdd('2', ['\\Flagged'], { uid: true });
  const changed = [];
  for await (const message of client.fetch('1:*', { uid: true, flags: true }, { changedSince: known })) changed.push(message);
  assert.deepStrictEqual(changed.map((message) => message.uid).filter((uid) => uid === 2), [2]);
  assert(changed.every((message) => message.modseq > known), 'a MODSEQ that is too small');
  // Another has changed message 2 since: it stays as it is.
  await client.messageFlagsAdd('1:3', ['\\Answered'], { uid: true, unchangedSince: known });
  const flags = {};
  for await (const message of client.fetch('1:*', { uid: true, flags: true })) flags[message.uid] = message.flags;
  assert(!flags[2].has('\\Answered') && flags[2].has('\\Flagged') && flags[3].has('\\Answered'), 'conditional STORE');
  const moved = await client.messageMove('2:3', uses['\\Archive'], { uid: true });
  assert.deepStrictEqual([...moved.uidMap], [[2, 1], [3, 2]]);
  const status = await client.status(uses['\\Archive'], { messages: true, unseen: true, highestModseq: true, uidNext: true });
  assert.strictEqual(status.messages, 2);
  assert.strictEqual(status.uidNext, 3);
  assert(status.highestModseq > 1n);
  await client.noop();
  assert.strictEqual(client.mailbox.exists, 1);
  const { content } = await client.download('1');
  const pieces = [];
  for await (const piece of content) pieces.push(piece);
  assert.deepStrictEqual(Buffer.concat(pieces), mail('news 0'));
  await client.messageDelete('1');
  assert.strictEqual(client.mailbox.exists, 0);
}

async function main() {
  const client = await connect();
  const other = await connect();
  const uses = await readFolders(client);
  await client.mailboxOpen('INBOX');
  const idleMs = await idle(client, other);
  await work(client, other, uses);
  await other.logout();
  await client.logout();
  console.log(JSON.stringify({ idle_ms: idleMs }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
