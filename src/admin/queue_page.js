// Keeps the queue page up to date: asks for the data every 2 s and makes of it what queue_html.cc made of the first.
// What others chose (addresses, answers) only ever becomes text. No library, no inline script, nothing from elsewhere.
"use strict";

(() => {
  const PERIOD_MS = 2000;
  const PATIENCE_MS = 10000;
  const BAR_STEPS = 10;
  const here = new URLSearchParams(location.search);

  // An element with attributes and children; texts become text nodes, null and "" nothing.
  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children.flat().filter((child) => child !== null && child !== ""));
    return element;
  }

  const foreign = (text) => (text ? make("bdi", {}, clean(text)) : null);
  const chip = (state) => make("span", { class: `chip ${state}` }, state);
  const count = (number) => String(number);

  // Control characters as queue_html.cc shows them.
  function clean(text) {
    return text.replace(/[\u0000-\u001f\u007f]/g, "\ufffd");
  }

  function duration(seconds) {
    const rest = Math.max(0, seconds);
    for (const [length, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (rest >= 2 * length) return `${Math.floor(rest / length)} ${name}`;
    }
    return `${rest} s`;
  }

  function size(bytes) {
    if (bytes < 1024) return `${bytes} B`;
    const units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let value = bytes / 1024;
    let unit = 0;
    while (value >= 1023.95 && unit + 1 < units.length) {
      value /= 1024;
      unit += 1;
    }
    return `${value.toFixed(1)} ${units[unit]}`;
  }

  function due(object) {
    if (object.due_in_seconds === undefined) return "";
    return object.due_in_seconds <= 0 ? "now" : `in ${duration(object.due_in_seconds)}`;
  }

  // This page with one parameter set anew; the list begins anew too.
  function link(name, value) {
    const parameters = new URLSearchParams(here);
    for (const key of [...parameters.keys()]) {
      if (parameters.get(key) === "") parameters.delete(key);
    }
    parameters.delete("after");
    parameters.delete(name);
    if (value) parameters.append(name, value);
    const query = parameters.toString();
    return query ? `/queue?${query}` : "/queue";
  }

  const cell = (name, ...children) => make("td", name ? { "data-name": name } : {}, ...children);
  const numberCell = (name, text) => make("td", { class: "number", "data-name": name }, text);
  const answerCell = (text) => make("td", { class: "answer" }, foreign(text));
  const rowHead = (...children) => make("th", { scope: "row" }, ...children);

  function heads(...titles) {
    return make("thead", {}, make("tr", {}, titles.map(([title, kind, ...more]) =>
      make("th", kind ? { scope: "col", class: kind } : { scope: "col" }, title, ...more))));
  }

  const fact = (name, ...value) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value));

  function summary(data) {
    const status = data.status;
    return make("dl", { id: "summary", class: "facts" },
      fact("mails", count(status.mails)), fact("size", size(status.bytes)),
      fact("recipients waiting", count(status.recipients_waiting)),
      fact("with a courier", count(status.recipients_claimed)), fact("held", count(status.recipients_held)));
  }

  function histogram(counts, names) {
    const most = Math.max(1, ...counts);
    return make("ol", { class: "ages" }, counts.map((number, i) =>
      make("li", { class: `h${Math.ceil((number * BAR_STEPS) / most)}`, "data-age": names[i] },
        make("i", {}), make("b", {}, count(number)))));
  }

  function groupRow(name, group, ages) {
    const is_paused = group.paused_seconds !== undefined;
    const next = is_paused ? [chip("paused"), ` ${duration(group.paused_seconds)}`]
      : [due(group) || chip(group.claimed > 0 ? "claimed" : "held")];
    return make("tr", {}, rowHead(name), numberCell("mails", count(group.mails)),
      make("td", { class: "histogram" }, histogram(group.mails_by_age, ages)),
      numberCell("oldest", group.oldest_seconds === undefined ? "" : duration(group.oldest_seconds)),
      cell("next", ...next), answerCell(is_paused ? group.pause_reason : group.last_answer));
  }

  function groupName(group, by) {
    const shown = by === "sender" ? `<${group.key}>` : group.key;
    return make("a", { href: link(by, group.key || "<>") }, foreign(shown));
  }

  function tally(data) {
    const { by, ages, groups, rest, group_count } = data.tally;
    const place = make("div", { id: "tally" });
    if (groups.length === 0) {
      place.append(make("p", { class: "note" }, "No mail waits."));
      return place;
    }
    const rows = groups.map((group) => groupRow(groupName(group, by), group, ages));
    if (rest) rows.push(groupRow("all others", rest, ages));
    const names = make("ol", { class: "ages names" }, ages.map((name) => make("li", {}, name)));
    place.append(make("table", { class: "tally" },
      heads([by], ["Mails", "number"], [make("span", { class: "hidden" }, "Mails by age, up to"), "histogram", names],
        ["Oldest", "number"], ["Next attempt"], ["Last answer"]),
      make("tbody", {}, rows)));
    if (group_count > groups.length) {
      place.append(make("p", { class: "note" }, `and ${group_count - groups.length} more, with fewer mails each`));
    }
    if (data.tally_age_seconds >= 5) {
      place.append(make("p", { class: "note" }, `counted ${duration(data.tally_age_seconds)} ago`));
    }
    return place;
  }

  function fate(recipient) {
    const attempts = recipient.attempts;
    let text = attempts === 0 ? "" : attempts === 1 ? "tried once" : `tried ${attempts} times`;
    if (due(recipient)) text += `${text ? ", again" : "due"} ${due(recipient)}`;
    if (!recipient.last_answer) return [text];
    return [text && `${text}: `, make("span", { class: "answer" }, foreign(recipient.last_answer))];
  }

  function recipientItem(recipient) {
    return make("li", {}, chip(recipient.state), " ",
      make("span", { class: "address" }, foreign(recipient.address)), " ",
      make("span", { class: "fate" }, fate(recipient)));
  }

  function mailRow(mail) {
    const items = mail.first_recipients.map(recipientItem);
    const more = mail.recipients - items.length;
    if (more > 0) items.push(make("li", { class: "note" }, `and ${more} more`));
    return make("tr", {}, rowHead(make("a", { href: `/queue?id=${mail.id}` }, mail.id)),
      numberCell("age", duration(mail.age_seconds)), numberCell("size", size(mail.bytes)),
      cell("class", mail.class), make("td", { class: "from", "data-name": "sender" }, foreign(`<${mail.sender}>`)),
      make("td", { class: "to" }, make("ul", { class: "recipients" }, items)));
  }

  function noMails(data) {
    let text = "The queue is empty: all accepted mail is where it belongs.";
    if (data.status.mails > 0) text = "The list ends here.";
    if (data.is_filtered) text = "No mail of the queue matches.";
    if (data.next) text = `None of ${data.examined} mails matches so far.`;
    return make("p", { class: "empty" }, text);
  }

  function mails(data) {
    const place = make("div", { id: "mails" });
    if (data.mails.length === 0) {
      place.append(noMails(data));
    } else {
      place.append(make("table", { class: "mails" },
        heads(["Mail"], ["Age", "number"], ["Size", "number"], ["Class"], ["Sender"], ["Recipients who wait"]),
        make("tbody", {}, data.mails.map(mailRow))));
    }
    const links = [];
    if (here.get("after")) links.push(make("a", { href: link("after", "") }, "from the beginning"));
    if (data.next) {
      const text = data.mails.length === 0 ? "look further" : "next mails";
      links.push(make("a", { href: link("after", data.next), rel: "next" }, text));
    }
    if (links.length > 0) place.append(make("nav", { class: "pages", "aria-label": "Pages" }, links));
    return place;
  }

  function recipientRow(recipient) {
    return make("tr", {}, rowHead(foreign(recipient.address)), cell("state", chip(recipient.state)),
      cell("destination", foreign(recipient.destination)), numberCell("attempts", count(recipient.attempts)),
      cell("next", due(recipient)), answerCell(recipient.last_answer));
  }

  function detail(data) {
    const place = make("div", { id: "mail" });
    const mail = data.mail;
    if (!mail) {
      place.append(make("p", { class: "empty" },
        "This mail is not in the queue (any more): it may have been delivered, or removed."));
      return place;
    }
    const facts = [fact("sender", foreign(`<${mail.sender}>`)),
      fact("queued", `${duration(mail.age_seconds)} ago, ${mail.queued_at}`), fact("size", size(mail.bytes)),
      fact("class", mail.class), fact("mail id", mail.mail_id)];
    const origin = [["came from", mail.client_ip], ["which called itself", mail.helo], ["protocol", mail.protocol],
      ["account", mail.account]];
    for (const [name, value] of origin) {
      if (value) facts.push(fact(name, foreign(value)));
    }
    place.append(make("dl", { class: "facts" }, facts), make("table", { class: "mail" },
      heads(["Recipient"], ["State"], ["Destination"], ["Attempts", "number"], ["Next attempt"], ["Last answer"]),
      make("tbody", {}, mail.recipients.map(recipientRow))));
    return place;
  }

  // Makes `old` what `fresh` is, and leaves alone what is so already: a selection or the focus in it stays.
  function update(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    for (const name of old.getAttributeNames()) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const name of fresh.getAttributeNames()) old.setAttribute(name, fresh.getAttribute(name));
    const wanted = [...fresh.childNodes];
    const there = [...old.childNodes];
    wanted.forEach((child, i) => (i < there.length ? update(there[i], child) : old.append(child)));
    there.slice(wanted.length).forEach((child) => child.remove());
  }

  function show(data) {
    const parts = data.id === undefined ? [summary(data), tally(data), mails(data)] : [detail(data)];
    for (const part of parts) {
      const place = document.getElementById(part.id);
      if (place) update(place, part);
    }
    document.getElementById("live").textContent = `live, as of ${clock()}`;
  }

  const clock = () => new Date().toLocaleTimeString();
  let lost_since = null;

  function tellTrouble(sentence) {
    const place = document.getElementById("trouble");
    place.hidden = sentence === "";
    if (place.textContent !== sentence) place.textContent = sentence;
    document.body.classList.toggle("stale", sentence !== "");
  }

  async function refresh() {
    const answer = await fetch(`/queue.json${location.search}`,
      { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return answer.json();
  }

  async function tick() {
    if (!document.hidden) {
      try {
        show(await refresh());
        lost_since = null;
        tellTrouble("");
      } catch (error) {
        lost_since ??= clock();
        const reason = error instanceof TypeError || error.name === "TimeoutError" ? "it cannot be reached" : error.message;
        tellTrouble(`No news from the node since ${lost_since}: ${reason}. Below is what it said before; asking again every 2 s.`);
        document.getElementById("live").textContent = "not live";
      }
    }
    setTimeout(tick, PERIOD_MS);
  }

  setTimeout(tick, PERIOD_MS);
})();
