// Makes the page's tables sort and filter. Without this they are plain tables.
const words = {
  search: "Filter ",
  emptyTable: "nothing here",
  zeroRecords: "no row matches",
  info: "_START_ to _END_ of _TOTAL_",
  infoEmpty: "none",
  infoFiltered: "(of _MAX_)",
  lengthMenu: "Show _MENU_",
};
for (const table of document.querySelectorAll("table.sorted")) {
  const rows = table.tBodies[0].rows.length;
  const shown = Number(table.dataset.rowsShown) || rows;
  const paged = rows > shown;
  const made = new DataTable(table, {
    autoWidth: false,
    order: [],
    columnDefs: [{ targets: "number", type: "num", orderSequence: ["desc", "asc", ""] }],
    paging: paged,
    pageLength: shown,
    lengthMenu: [shown, 5 * shown, { label: "all", value: -1 }],
    layout: {
      topStart: "filtered" in table.dataset ? "search" : null,
      topEnd: paged ? "pageLength" : null,
      bottomStart: paged ? "info" : null,
      bottomEnd: paged ? "paging" : null,
    },
    language: words,
  });
  if (paged) {
    addEventListener("beforeprint", () => made.page.len(-1).draw(false));
    addEventListener("afterprint", () => made.page.len(shown).draw(false));
  }
}
