//! Pages in one file that needs no other.

use std::fmt::Write as _;

use data_encoding::BASE64;

const STYLE: &str = "\
    :root{color-scheme:light dark}\
    body{font:15px/1.45 system-ui,sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem;\
    color:#1c1c1e;background:#fff}\
    .wide{overflow-x:auto}\
    table{border-collapse:collapse;margin:.6rem 0 1.6rem}\
    th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #d8d8dc;\
    white-space:nowrap}\
    th:first-child,td:first-child{text-align:left}\
    svg{max-width:100%;height:auto}\
    .plots{display:grid;gap:.8rem;\
    grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr))}\
    .plots svg{display:block;width:100%;min-width:23rem;max-width:46rem}\
    .row{display:flex;flex-wrap:wrap;gap:.8rem 2.5rem}\
    figure{margin:0 0 1rem}figure img{max-width:100%;display:block}figcaption{font-size:13px}\
    pre{overflow-x:auto}\
    @media(prefers-color-scheme:dark){body{color:#ececf0;background:#18181b}\
    th,td{border-color:#44444c}}";

/// Text for SVG and HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A whole page; its title is also its heading, and `body` is HTML.
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// Adds a table; the first cells of its rows are their names.
pub fn table(
    page: &mut String,
    corner: &str,
    head: &[String],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) {
    let _ = write!(page, "<div class=\"wide\"><table><tr><th>{corner}</th>");
    for name in head {
        let _ = write!(page, "<th>{}</th>", escape(name));
    }
    page.push_str("</tr>\n");
    for (name, cells) in rows {
        let _ = write!(page, "<tr><td>{}</td>", escape(&name));
        for cell in cells {
            let _ = write!(page, "<td>{}</td>", escape(&cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

/// Adds a picture, the bytes of a PNG file, with a line below it.
pub fn figure(page: &mut String, caption: &str, png: &[u8]) {
    let caption = escape(caption);
    let _ = writeln!(
        page,
        "<figure><img alt=\"{caption}\" src=\"data:image/png;base64,{}\">\
         <figcaption>{caption}</figcaption></figure>",
        BASE64.encode(png)
    );
}
