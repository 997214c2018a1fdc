// What programs do with nodemailer: STARTTLS with a certificate that is checked, attachments, a pool, DSN, SMTPUTF8, refusals; all read back by imapflow.
// Usage: nodemailer_day.js FOLDER_OF_NODE_MODULES SUBMISSION_PORT IMAP_PORT CERTIFICATE SEED. Prints one line of JSON; exits 1 with what was wrong.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const [modules, submissionPort, imapPort, certificate, seed] = process.argv.slice(2);
const nodemailer = require(path.join(modules, 'nodemailer'));
const { ImapFlow } = require(path.join(modules, 'imapflow'));

const HOST = 'mx.example.test';  // Whom the certificate names.
const ALICE = 'alice@example.test';
const BOB = 'bob@example.test';
const JOERG = 'jörg@example.test';
const PASSWORD = 'posthorn';
const POOLED = 60;
const tls = { ca: fs.readFileSync(certificate), servername: HOST };

function mailer(more) {
  return nodemailer.createTransport({
    host: '127.0.0.1', port: Number(submissionPort), secure: false, requireTLS: true, tls, name: 'client.test',
    auth: { user: ALICE, pass: PASSWORD }, ...more,
  });
}

// Runs `work` on an open INBOX.
async function withInbox(user, work) {
  const client = new ImapFlow({ host: '127.0.0.1', port: Number(imapPort), secure: false, doSTARTTLS: true, servername: HOST, tls, logger: false, auth: { user, pass: PASSWORD } });
  await client.connect();
  await client.mailboxOpen('INBOX');
  const result = await work(client);
  await client.logout();
  return result;
}

// Asks until there is something, for deliveries that go through the queue.
async function search(client, criteria) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = await client.search(criteria, { uid: true });
    if (found.length) return found;
    await client.noop();
  }
  throw new Error(`not within a minute: ${JSON.stringify(criteria)}`);
}

async function part(client, uid, number) {
  const { content } = await client.download(String(uid), number, { uid: true });
  const pieces = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

// Bytes that no one could guess, the same for the same seed.
function bytes(count) {
  const key = crypto.createHash('sha256').update(seed).digest();
  return crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(count));
}

async function sendAttachments() {
  const attached = { 'photo.bin': bytes(3_000_000), 'Grüße aus Köln.txt': Buffer.from('Schöne Grüße\r\n..\r\n.\r\n') };
  const transport = mailer();
  assert.strictEqual(await transport.verify(), true);
  const info = await transport.sendMail({
    from: `Alice <${ALICE}>`, to: BOB, cc: 'Also Bob <bob+copy@example.test>', bcc: ALICE, subject: 'Übersicht', text: 'Plain text with ümlauts.\r\n.\r\n..',
    html: '<p>Rich text <img src="cid:logo"></p>',
    attachments: [...Object.entries(attached).map(([filename, content]) => ({ filename, content })), { filename: 'logo.png', content: bytes(500), cid: 'logo' }],
  });
  transport.close();
  assert.deepStrictEqual(info.rejected, []);
  await withInbox(BOB, async (client) => {
    const uids = await search(client, { header: { 'message-id': info.messageId } });
    assert.strictEqual(uids.length, 1, 'two addresses of one mailbox: one mail');
    const mail = await client.fetchOne(String(uids[0]), { envelope: true, bodyStructure: true, headers: ['received', 'bcc'] }, { uid: true });
    assert.strictEqual(mail.envelope.subject, 'Übersicht');
    assert(!/bcc/i.test(mail.headers.toString()), 'Bcc was not removed');
    assert(/with ESMTPSA/.test(mail.headers.toString()), `not by TLS and AUTH: ${mail.headers}`);
    const leaves = [];
    (function walk(node) { (node.childNodes || [node]).forEach((child) => (child.childNodes ? walk(child) : leaves.push(child))); })(mail.bodyStructure);
    for (const leaf of leaves) {
      const name = leaf.dispositionParameters && leaf.dispositionParameters.filename;
      if (attached[name]) {
        assert.deepStrictEqual(await part(client, uids[0], leaf.part), attached[name], `${name} was changed`);
        delete attached[name];
      }
    }
    assert.deepStrictEqual(Object.keys(attached), [], 'attachments that are missing');
  });
  await withInbox(ALICE, (client) => search(client, { header: { 'message-id': info.messageId } }));
}

async function sendByPool() {
  const transport = mailer({ pool: true, maxConnections: 3, maxMessages: 10 });
  const began = Date.now();
  await Promise.all(Array.from({ length: POOLED }, (_, n) => transport.sendMail({ from: ALICE, to: BOB, subject: `pooled ${n}.`, text: `Mail ${n}` })));
  const took = Date.now() - began;
  transport.close();
  await withInbox(BOB, async (client) => {
    for (let n = 0; n < POOLED; ++n) assert.strictEqual((await search(client, { subject: `pooled ${n}.` })).length, 1, `mail ${n}`);
  });
  return took;
}

async function askForReport() {
  const transport = mailer();
  await transport.sendMail({ from: ALICE, to: BOB, subject: 'tell me', text: 'x', dsn: { id: 'nr=7+8', return: 'headers', notify: ['success', 'failure', 'delay'], recipient: BOB } });
  transport.close();
  await withInbox(ALICE, async (client) => {
    const [uid] = await search(client, { header: { 'content-type': 'multipart/report' } });
    const status = (await part(client, uid, '2')).toString();
    assert(/^Original-Envelope-Id: nr=7\+8\r$/m.test(status), status);
    assert(/^Original-Recipient: rfc822; ?bob@example\.test\r$/mi.test(status), status);
    assert(/^Action: delivered\r$/m.test(status), status);
    const { headers } = await client.fetchOne(String(uid), { headers: ['auto-submitted'] }, { uid: true });
    assert(/auto-replied/.test(headers.toString()), headers.toString());
  });
}

async function sendToUtf8Address() {
  const transport = mailer();
  const info = await transport.sendMail({ from: ALICE, to: { name: 'Jörg', address: JOERG }, subject: 'Grüße', text: 'x' });
  transport.close();
  assert.deepStrictEqual(info.accepted, [JOERG]);
  await withInbox(JOERG, async (client) => {
    const [uid] = await search(client, { header: { 'message-id': info.messageId } });
    const { envelope, headers } = await client.fetchOne(String(uid), { envelope: true, headers: ['received', 'to'] }, { uid: true });
    assert.strictEqual(envelope.to[0].address, JOERG);
    assert(/with UTF8SMTPSA/.test(headers.toString()), headers.toString());
  });
}

async function beRefused() {
  const wrong = mailer({ auth: { user: ALICE, pass: 'wrong' } });
  await assert.rejects(wrong.verify(), (error) => error.code === 'EAUTH' && error.responseCode === 535);
  const transport = mailer();
  await assert.rejects(transport.sendMail({ from: BOB, to: ALICE, subject: 'not me', text: 'x' }), (error) => error.responseCode === 550);
  const info = await transport.sendMail({ from: ALICE, to: [BOB, 'nobody@example.test'], subject: 'one of two', text: 'x' });
  assert.deepStrictEqual([info.accepted, info.rejected], [[BOB], ['nobody@example.test']]);
  assert.strictEqual(info.rejectedErrors[0].responseCode, 550);
  transport.close();
  const plain = mailer({ requireTLS: false, ignoreTLS: true, auth: undefined });
  await assert.rejects(plain.sendMail({ from: ALICE, to: BOB, subject: 'who am I', text: 'x' }), (error) => error.responseCode === 530);
}

async function main() {
  await sendAttachments();
  const took = await sendByPool();
  await askForReport();
  await sendToUtf8Address();
  await beRefused();
  console.log(JSON.stringify({ pooled: POOLED, pool_ms: took }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
