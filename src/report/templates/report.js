"use strict";
// The case explorer. Every text that a model or a suite wrote reaches the page through textContent only.
(function () {
  const PAGE = 50;
  const CAP = 2000;
  const data = JSON.parse(document.getElementById("case-data").textContent);
  const byId = (id) => document.getElementById(id);
  const fields = {
    text: byId("f-text"), task: byId("f-task"), slice: byId("f-slice"),
    target: byId("f-target"), outcome: byId("f-outcome"), score: byId("f-score"),
  };
  const list = byId("case-list");
  const places = new Map(data.cases.map((c, i) => [c.id, i]));
  const haystacks = new Array(data.cases.length);
  let found = [];
  let shown = 0;

  function make(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function fill(select, names) {
    names.forEach((name, i) => {
      const option = make("option", "", name);
      option.value = String(i);
      select.append(option);
    });
  }

  // 1 right, 0 wrong, null where a metric knows neither.
  function rightness(metric, value) {
    const right = data.metrics[metric].right;
    if (right === null) return null;
    if (value === null) return 0;
    return right === 1 ? value : 1 - value;
  }

  function isWrong(answer) {
    return answer.outcome === "failed" || answer.scores.some(([m, v]) => {
      const r = rightness(m, v);
      return r !== null && r < 1;
    });
  }

  // The metrics on which an answer changed sides against the baseline's: from `from` to `to`.
  function flipped(item, answer, from, to) {
    const base = item.answers.find((a) => a.target === data.baseline);
    if (!base || base === answer) return [];
    return base.scores.filter(([m, v]) => {
      if (v === null || rightness(m, v) !== from) return false;
      const other = answer.scores.find(([n]) => n === m);
      return (other ? rightness(m, other[1]) : 0) === to;
    }).map(([m]) => data.metrics[m].name);
  }

  function haystack(i) {
    if (haystacks[i] === undefined) {
      const c = data.cases[i];
      haystacks[i] = [c.id, c.question, c.expected].concat(c.answers.map((a) => a.text)).join("\n").toLowerCase();
    }
    return haystacks[i];
  }

  function matchesAnswers(item, want) {
    const answers = item.answers.filter((a) => want.target === "" || a.target === Number(want.target));
    if (want.outcome && !answers.some((a) => a.outcome === want.outcome)) return false;
    if (want.score === "wrong") return answers.some(isWrong);
    if (want.score === "right") return answers.length > 0 && !answers.some(isWrong);
    if (want.score === "lost") return answers.some((a) => flipped(item, a, 1, 0).length > 0);
    if (want.score === "fixed") return answers.some((a) => flipped(item, a, 0, 1).length > 0);
    return answers.length > 0;
  }

  function filter() {
    const want = {};
    for (const key of Object.keys(fields)) want[key] = fields[key].value;
    const words = want.text.toLowerCase().split(/\s+/).filter(Boolean);
    found = [];
    data.cases.forEach((item, i) => {
      if (want.task !== "" && item.task !== Number(want.task)) return;
      if (want.slice !== "" && !item.slices.includes(Number(want.slice))) return;
      if (!matchesAnswers(item, want)) return;
      if (words.length > 0 && !words.every((w) => haystack(i).includes(w))) return;
      found.push(i);
    });
    list.replaceChildren();
    shown = 0;
    showMore();
  }

  function showMore() {
    const next = found.slice(shown, shown + PAGE);
    shown += next.length;
    list.append(...next.map((i) => row(data.cases[i])));
    byId("count").textContent = shown + " of " + found.length + " matching cases shown, " + data.cases.length + " in all";
    byId("more").hidden = shown >= found.length;
  }

  function row(item) {
    const details = make("details", "case");
    const summary = make("summary");
    summary.append(make("span", "case-id", item.id), make("span", "case-question", item.question.slice(0, 300)));
    const marks = make("span", "marks");
    for (const answer of item.answers) {
      const wrong = isWrong(answer);
      const word = answer.outcome === "failed" ? "! " : wrong ? "✕ " : "✓ ";
      const mark = make("span", wrong ? "mark-wrong" : "", word + data.targets[answer.target]);
      mark.title = answer.outcome === "failed" ? "failed" : wrong ? "some score is wrong" : "all scores are right";
      marks.append(mark);
    }
    summary.append(marks);
    details.append(summary);
    details.dataset.id = item.id;
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(body(item));
    });
    return details;
  }

  function long(tag, text) {
    const node = make(tag, "text", text.length > CAP ? text.slice(0, CAP) + "…" : text);
    if (text.length <= CAP) return [node];
    const button = make("button", "", "Show all " + text.length + " characters");
    button.type = "button";
    button.addEventListener("click", () => { node.textContent = text; button.remove(); });
    return [node, button];
  }

  function entry(term, text) {
    const div = make("div");
    const value = make("dd");
    value.append(...long("span", text));
    div.append(make("dt", "", term), value);
    return div;
  }

  function usage([prompt, completion, first, total]) {
    const parts = [];
    if (prompt !== null) parts.push(prompt + " prompt tokens");
    if (completion !== null) parts.push(completion + " completion tokens");
    if (first !== null) parts.push("first token after " + (first * 1000).toFixed(0) + " ms");
    if (total !== null) parts.push("done after " + (total * 1000).toFixed(0) + " ms");
    return parts.join(", ");
  }

  function answerBox(item, answer) {
    const box = make("figure", isWrong(answer) ? "wrong" : "");
    const outcome = answer.outcome === "answered" ? "" : " (" + answer.outcome + ")";
    box.append(make("figcaption", "", data.targets[answer.target] + outcome), ...long("blockquote", answer.text));
    const scores = make("ul", "scores");
    for (const [metric, value, why] of answer.scores) {
      const text = data.metrics[metric].name + " " + (value === null ? "not scored" : String(Number(value.toFixed(4))));
      const wrong = rightness(metric, value);
      const line = make("li", wrong !== null && wrong < 1 ? "mark-wrong" : "", text);
      if (why) line.append(make("span", "text", ": " + why));
      scores.append(line);
    }
    for (const [label, names] of [["lost ", flipped(item, answer, 1, 0)], ["fixed ", flipped(item, answer, 0, 1)]]) {
      if (names.length > 0) scores.append(make("li", "", label + names.join(", ")));
    }
    const used = usage(answer.usage);
    if (used) scores.append(make("li", "", used));
    box.append(scores);
    return box;
  }

  function body(item) {
    const box = make("div", "case-body");
    const ask = make("dl", "ask");
    const slices = [data.tasks[item.task]].concat(item.slices.map((s) => data.slices[s])).join(", ");
    ask.append(entry("Asked", item.question), entry("Expected", item.expected), entry("Slices", slices));
    const sides = make("div", "sides");
    sides.append(...item.answers.map((a) => answerBox(item, a)));
    const links = make("p", "case-links");
    const link = make("a", "", "Link to this case");
    link.setAttribute("href", "#case=" + item.id);
    links.append(link);
    box.append(ask, sides, links);
    return box;
  }

  // `#case=<id>` opens that case, whatever the filters were.
  function follow() {
    const match = /^#case=([A-Za-z0-9._-]+)$/.exec(location.hash);
    if (!match || !places.has(match[1])) return;
    let node = list.querySelector('[data-id="' + match[1] + '"]');
    if (!node) {
      for (const key of Object.keys(fields)) fields[key].value = "";
      fields.text.value = match[1];
      filter();
      node = list.querySelector('[data-id="' + match[1] + '"]');
    }
    if (!node) return;
    node.open = true;
    node.scrollIntoView({ block: "start" });
    node.firstElementChild.focus({ preventScroll: true });
  }

  fill(fields.task, data.tasks);
  fill(fields.slice, data.slices);
  fill(fields.target, data.targets);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(filter, 0));
  let pending = 0;
  byId("filters").addEventListener("input", () => { clearTimeout(pending); pending = setTimeout(filter, 60); });
  byId("more").addEventListener("click", showMore);
  window.addEventListener("hashchange", follow);
  byId("explorer").hidden = false;
  filter();
  follow();
})();
