
"use strict";
(() => {
  const form = document.getElementById("filters");
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details:not([open])")) { each.open = true; opened.push(each); }
  });
  addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });

  const reveal = () => {  // a link to a finding that is folded away or filtered out
    const target = document.getElementById(location.hash.slice(1));
    const fold = target && target.closest("details");
    if (fold) fold.open = true;
    if (target && target.hidden && form) form.reset();
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);

  if (form) {
    const field = (name) => document.getElementById(name);
    const cards = [...document.querySelectorAll("#findings > article")];
    const texts = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));
    const cells = [...document.querySelectorAll("[data-pair]")], choices = [...form.querySelectorAll("select")];
    let pair = "";

    const show = () => {
      const words = field("words").value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const card of cards) {
        const holds = (name, value) => !value || (card.dataset[name] || "").split(" ").includes(value);
        const fits = choices.every((each) => holds(each.id, each.value)) && holds("pairs", pair)
          && words.every((word) => texts.get(card).includes(word));
        card.hidden = !fits;
        count += fits;
      }
      for (const cell of cells) cell.setAttribute("aria-pressed", String(cell.dataset.pair === pair));
      field("nothing").hidden = count > 0;
      const said = (n) => n.toLocaleString("en"), noun = form.dataset.noun + (cards.length === 1 ? "" : "s");
      const all = said(cards.length) + " " + noun;
      field("shown").textContent = count === cards.length ? all : said(count) + " of " + all;
    };

    for (const cell of cells) {
      cell.addEventListener("click", () => { pair = pair === cell.dataset.pair ? "" : cell.dataset.pair; show(); });
    }
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => { pair = ""; setTimeout(show); });
    addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        field("words").focus();
      } else if (event.key === "Escape") {
        form.reset();
      }
    });
    form.hidden = false;
    show();
  }
  if (location.hash) reveal();
})();
