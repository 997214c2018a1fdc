// What thunderbird_test.py has Thunderbird do, with the rights of its own code. Put before each script that runs there.
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const flags = Ci.nsMsgFolderFlags;

function imapServer() {
  return MailServices.accounts.allServers.find((server) => server.type == "imap");
}

// Has `condition` come true: asked again and again, since not every change is announced.
async function until(condition, what, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const value = condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

// A listener for what is done by a URL, and its end.
function urlEnd() {
  const end = Promise.withResolvers();
  end.listener = {
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
    OnStartRunningUrl() {},
    OnStopRunningUrl(url, status) {
      if (Components.isSuccessCode(status)) end.resolve();
      else end.reject(new Error(`${url && url.spec}: ${status.toString(16)}`));
    },
  };
  return end;
}

function folder(name) {
  const found = imapServer().rootFolder.descendants.find((each) => each.name == name);
  if (!found) throw new Error(`no folder ${name} among ${imapServer().rootFolder.descendants.map((each) => each.name)}`);
  return found;
}

// Has Thunderbird look at a folder on the server, as a click on it does.
async function open(name) {
  const end = urlEnd();
  folder(name).QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(null, end.listener);
  await end.promise;
  return folder(name);
}

function mails(name) {
  return [...folder(name).messages];
}

function mail(name, subject) {
  return mails(name).find((each) => each.mime2DecodedSubject == subject);
}

// All of the account, as a start looks at it.
async function sync() {
  const server = imapServer();
  const end = urlEnd();
  server.getNewMessages(server.rootFolder.getFolderWithFlags(flags.Inbox), null, end.listener);
  await end.promise;
  await until(() => ["Archive", "Drafts", "Junk", "Sent", "Trash"].every((name) => server.rootFolder.descendants.some((each) => each.name == name)), "the folders");
}

// A folder's mails: each subject with what is seen of its flags.
function listing(name) {
  return Object.fromEntries(mails(name).map((each) => [each.mime2DecodedSubject, [each.isRead && "read", each.isFlagged && "flagged", ...each.getStringProperty("keywords").split(" ")].filter(Boolean)]));
}

// A mail's text, fetched as for its display.
function read(name, subject) {
  const uri = folder(name).getUriForMsg(mail(name, subject));
  return new Promise((resolve, reject) => {
    const stream = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
    let text = "";
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
      QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
      onStartRequest() {},
      onDataAvailable(request, input, offset, count) {
        stream.init(input);
        text += stream.read(count);
      },
      onStopRequest(request, status) {
        if (Components.isSuccessCode(status)) resolve(text);
        else reject(new Error(`read ${subject}: ${status.toString(16)}`));
      },
    }, null, null, false, "", false);
  });
}

function move(from, subjects, to) {
  return new Promise((resolve, reject) => {
    MailServices.copy.copyMessages(folder(from), subjects.map((subject) => mail(from, subject)), folder(to), true, {
      QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
      onStartCopy() {},
      onProgress() {},
      setMessageKey() {},
      getMessageId: () => null,
      onStopCopy(status) {
        if (Components.isSuccessCode(status)) resolve();
        else reject(new Error(`move: ${status.toString(16)}`));
      },
    }, null, true);
  });
}

// The subjects of the mails whose text the server finds.
function search(name, text) {
  return new Promise((resolve) => {
    const found = [];
    const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
    session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder(name));
    const term = session.createTerm();
    const value = term.value;
    value.attrib = Ci.nsMsgSearchAttrib.Body;
    value.str = text;
    Object.assign(term, { attrib: Ci.nsMsgSearchAttrib.Body, op: Ci.nsMsgSearchOp.Contains, booleanAnd: true, value });
    session.appendTerm(term);
    session.registerListener({
      QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
      onNewSearch() {},
      onSearchHit: (header) => found.push(header.mime2DecodedSubject),
      onSearchDone: () => resolve(found),
    });
    session.search(null);
  });
}

// Sends a mail with an attachment by the account's server and keeps a copy in Sent.
async function send(to, subject, body, attached) {
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  const identity = MailServices.accounts.allIdentities.find((each) => each.smtpServerKey);
  Object.assign(fields, { from: `Alice <${identity.email}>`, to, subject, body, fcc: folder("Sent").URI });
  const file = Services.dirsvc.get("ProfD", Ci.nsIFile);
  file.append("attached.bin");
  await IOUtils.write(file.path, Uint8Array.from(atob(attached), (letter) => letter.charCodeAt(0)));
  const attachment = Cc["@mozilla.org/messengercompose/attachment;1"].createInstance(Ci.nsIMsgAttachment);
  Object.assign(attachment, { url: Services.io.newFileURI(file).spec, name: "attached.bin", contentType: "application/octet-stream" });
  fields.addAttachment(attachment);
  const done = Promise.withResolvers();
  const check = (status, what) => Components.isSuccessCode(status) || done.reject(new Error(`${what}: ${status.toString(16)}`));
  const listener = {
    QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener", "nsIMsgCopyServiceListener"]),
    onStartSending() {},
    onProgress() {},
    onStatus() {},
    onStopSending: (id, status, text) => check(status, `send ${text}`),
    onSendNotPerformed: (id, status) => done.reject(new Error(`not sent: ${status.toString(16)}`)),
    onTransportSecurityError: (server, status) => done.reject(new Error(`TLS: ${status.toString(16)}`)),
    onGetDraftFolderURI() {},
    onStartCopy() {},
    setMessageKey() {},
    getMessageId: () => null,
    onStopCopy: (status) => check(status, "copy to Sent") && done.resolve(),
  };
  Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend).createAndSendMessage(null, identity, "account1", fields, false, false,
    Ci.nsIMsgSend.nsMsgDeliverNow, null, "text/plain", body, null, null, listener, "", "", Ci.nsIMsgCompType.New);
  await done.promise;
}
