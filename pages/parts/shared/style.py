"""The little CSS that Streamlit's theme cannot say. Colours follow the theme through `light-dark()`."""

from __future__ import annotations

import streamlit as st

_CSS = """
:root { --fw-line: light-dark(#D5DBE1, #303A44); --fw-soft: light-dark(#F4F6F8, #1A2128);
        --fw-faint: light-dark(#5B6873, #93A0AC); --fw-blue: light-dark(#0072B2, #56B4E9);
        --fw-text: light-dark(#0A1219, #DDE3E9); --fw-alert: light-dark(#B75000, #EC7F3C); }
[data-testid="stLayoutWrapper"]:has(> :is(.st-key-page_head, .st-key-actor_head)) { position: absolute; width: 0; }
.st-key-theme_changed { display: none; }
[data-testid="stMainMenuButton"] svg { display: none; }
[data-testid="stMainMenuButton"]::before { content: 'contrast'; font: 1.35rem 'Material Symbols Rounded';
                                           font-feature-settings: 'liga'; }
.fw-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
             white-space: nowrap; }
.fw-skip { position: fixed; left: .6rem; top: -4rem; z-index: 999999; padding: .5rem .9rem; border-radius: 4px;
           border: 2px solid var(--fw-blue); background: var(--fw-soft); color: var(--fw-text); font: inherit; }
.fw-skip:focus { top: .6rem; }
.stMain:focus { outline: none; }
:is(.stApp, .stMain) :is(summary, .fw-scroll, [role="tab"], a):focus-visible {
  outline: 2px solid var(--fw-blue); outline-offset: 2px; }
.stApp .stMainBlockContainer { padding: 4.2rem 2rem 3rem; max-width: 1680px; }
/* What is drawn anew above must not carry the view along with what stands below it. */
.stMain { overflow-anchor: none; }
.stApp [data-testid="stVerticalBlock"] { gap: .7rem; }
[class*="st-key-case_line_"], [class*="st-key-model_line_"], [class*="st-key-run_line_"],
[class*="st-key-differ_line_"] {
  padding: .55rem .7rem .6rem; }
:is([class*="st-key-case_line_"], [class*="st-key-model_line_"], [class*="st-key-run_line_"],
    [class*="st-key-differ_line_"]) button {
  justify-content: flex-start; text-align: left; padding: 0; min-height: 1.6rem; }
@media (max-width: 640px) { :is(.st-key-model_list, .st-key-run_list) { max-height: 42vh; overflow-y: auto; } }
.stApp button[kind^="primary"]:enabled { color: light-dark(#FFFFFF, #0A1219); }
.stMultiSelect [data-baseweb="tag"] { background: color-mix(in srgb, var(--fw-blue) 18%, var(--fw-soft)); }
.stMultiSelect [data-baseweb="tag"] :is(span, svg) { color: var(--fw-text); fill: var(--fw-text); }
.stMultiSelect [data-baseweb="tag"], .stMultiSelect [data-baseweb="tag"] span { max-width: 100%; }
[class*="st-key-differ_line_"] .fw-state { white-space: normal; }
.fw-icon { font-family: 'Material Symbols Rounded'; font-weight: 400; font-style: normal; line-height: 1;
           display: inline-block; white-space: nowrap; vertical-align: -.2em; font-size: 1.3em;
           font-feature-settings: 'liga'; }
.fw-heading { font-size: .8rem; font-weight: 600; letter-spacing: .05em; text-transform: uppercase;
              color: var(--fw-faint); border-bottom: 1px solid var(--fw-line); padding: .35rem 0 .25rem;
              display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }
.fw-aside { font-weight: 400; letter-spacing: 0; text-transform: none; }
.fw-note { color: var(--fw-faint); font-size: .86rem; line-height: 1.45; margin: 0; }
.fw-mono { font-family: ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
           font-size: .86em; overflow-wrap: anywhere; }
.stApp .fw-facts { display: grid; width: 100%; padding: 0; margin: 0; font-size: .92rem;
                   grid-template-columns: min(12rem, 40%) minmax(0, 1fr); }
.stApp .fw-facts dt { font-weight: 400; color: var(--fw-faint); padding: .22rem 1.2rem .22rem 0;
                      border-bottom: 1px solid var(--fw-line); }
.stApp .fw-facts dd { margin: 0; padding: .22rem 0; border-bottom: 1px solid var(--fw-line);
                      overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.fw-facts abbr { text-decoration: underline dotted; text-underline-offset: .2em; cursor: help; }
.stApp .fw-terms { max-width: 52rem; margin: 0; padding: 0; line-height: 1.5; }
.stApp .fw-terms dt { font-weight: 600; padding-top: .7rem; }
.stApp .fw-terms dd { margin: 0; padding-bottom: .7rem; border-bottom: 1px solid var(--fw-line); }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-model_facts_"]) { min-width: min(24rem, 100%); }
.fw-empty { display: flex; gap: 1rem; align-items: center; padding: 1.6rem 1.4rem; border: 1px dashed var(--fw-line);
            border-radius: 4px; color: var(--fw-faint); line-height: 1.5; }
.fw-empty .fw-icon { font-size: 2.2rem; }
.fw-empty b { color: var(--fw-text); font-weight: 600; }
.fw-problem { display: flex; gap: .7rem; padding: .6rem .8rem; border: 1px solid var(--fw-line); line-height: 1.45;
              border-left: 4px solid var(--fw-alert); border-radius: 4px; background: var(--fw-soft);
              overflow-wrap: anywhere; }
.fw-problem .fw-icon { color: var(--fw-alert); }
.fw-bullets { margin: 0; padding-left: 1.15rem; line-height: 1.5; font-size: .92rem; }
.fw-title { line-height: 1.35; }
.fw-title div:first-child { font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere; }
.fw-title div + div { color: var(--fw-faint); font-size: .9rem; }
.fw-steps { display: flex; flex-wrap: wrap; gap: .2rem .6rem; font-size: .86rem; color: var(--fw-faint); }
.fw-steps b { color: var(--fw-text); }
.fw-line { display: grid; grid-template-columns: 12.5rem 3.2rem minmax(6rem, 1fr) max-content; gap: .3rem .9rem;
           align-items: baseline; font-size: .95rem; }
.fw-line .fw-name { overflow-wrap: anywhere; font-weight: 500; }
.fw-line .fw-note { text-align: right; }
.fw-row { display: grid; grid-template-columns: 6.5rem minmax(9rem, 1.5fr) minmax(8rem, 1fr) minmax(8rem, 1fr) 9.5rem;
          gap: .2rem 1rem; align-items: center; font-size: .95rem; line-height: 1.4; }
.fw-row > div { min-width: 0; overflow-wrap: anywhere; }
.fw-row .fw-state { white-space: normal; }
.fw-row > .fw-note { white-space: pre-line; text-align: right; font-variant-numeric: tabular-nums; }
:is(.fw-row, .fw-strip) .fw-thumb { display: inline-flex; align-items: center; justify-content: center;
  width: 6.5rem; height: 4rem; background: var(--fw-soft); border-radius: 3px; overflow: hidden;
  color: var(--fw-faint); }
:is(.fw-row, .fw-strip) .fw-thumb img { width: 100%; height: 100%; object-fit: contain; background: #101418; }
.fw-strip { display: flex; gap: .3rem; padding-top: .35rem; }
.fw-strip .fw-thumb { width: 3.6rem; height: 2.4rem; }
[class*="st-key-exhibit_row_"] { position: relative; border-bottom: 1px solid var(--fw-line); padding: .3rem .2rem;
                                 align-items: center; flex-wrap: nowrap; }
[class*="st-key-exhibit_row_"]:hover { background: var(--fw-soft); }
[class*="st-key-exhibit_row_"] > :first-child { flex: 1; min-width: 0; }
[class*="st-key-exhibit_row_"] [data-testid="stPageLink"] { min-width: 7.4rem; }
/* The link of a row takes clicks anywhere in it: nothing between the two may be a frame of its own. */
[class*="st-key-exhibit_row_"] :is([data-testid="stElementContainer"]:has([data-testid="stPageLink"]),
  [data-testid="stElementContainer"] :has([data-testid="stPageLink"]), [data-testid="stPageLink"],
  [data-testid="stPageLink"] *) { position: static; }
[class*="st-key-exhibit_row_"] [data-testid="stPageLink"] a::after { content: ""; position: absolute; inset: 0; }
[class*="st-key-exhibit_row_"] [data-testid="stButton"] { position: relative; z-index: 1; }
@media (max-width: 1250px) { .fw-row { grid-template-columns: 6.5rem minmax(7rem, 1fr) minmax(8rem, 1fr); }
                             .fw-row > :first-child { grid-row: span 2; }
                             .fw-row > :nth-child(4) { order: 1; }
                             .fw-row > .fw-note { text-align: left; } }
.fw-job { display: grid; grid-template-columns: 88px minmax(0, 1fr); gap: .1rem .8rem; line-height: 1.4; }
.fw-job .fw-thumb { width: 88px; min-height: 50px; display: flex; align-items: center; justify-content: center;
                    background: var(--fw-soft); border-radius: 2px; color: var(--fw-faint); font-size: 1.4rem;
                    align-self: start; }
.fw-job .fw-thumb img { max-width: 88px; max-height: 88px; display: block; border-radius: 2px; }
.fw-job .fw-name { font-weight: 500; overflow-wrap: anywhere; }
.fw-job .fw-found { font-weight: 600; }
.fw-target { margin: 0; overflow-wrap: anywhere; line-height: 1.35; }
[data-testid="stLayoutWrapper"]:has(> .st-key-analyse_go) { position: sticky; bottom: 0; z-index: 9;
  padding: .6rem 0 .7rem; border-top: 1px solid var(--fw-line); background: light-dark(#FFFFFF, #11161B); }
[class*="st-key-job_line_"] > :first-child { flex: 1 1 15rem; min-width: min(15rem, 100%); }
.fw-state { white-space: nowrap; }
.fw-states { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .86rem; }
@media (max-width: 900px) { .fw-line { grid-template-columns: 1fr max-content; }
                            .fw-line .fw-note { text-align: left; } }
@media (max-width: 640px) { .fw-state { white-space: normal; }
                            .fw-line { grid-template-columns: minmax(0, 1fr) max-content; }
                            .fw-line :is(.fw-name, .fw-note) { grid-column: 1 / -1; } }
.stPlotlyChart :is(.xtick, .ytick, .g-xtitle, .g-ytitle) text { fill: var(--fw-faint) !important; }
.fw-card { border: 1px solid var(--fw-line); border-left: 5px solid var(--fw-accent); border-radius: 4px;
           padding: .6rem .9rem .6rem; background: var(--fw-soft); }
.fw-verdict { display: flex; gap: .7rem; }
.fw-verdict .fw-icon { font-size: 1.9rem; color: var(--fw-accent); flex: none; }
.fw-verdict p { margin: 0; font-size: .95rem; line-height: 1.4; overflow-wrap: anywhere; }
.fw-verdict b { font-size: 1.15rem; }
.fw-card .fw-limit { margin: .45rem 0 0; font-size: .9rem; line-height: 1.4; }
.fw-strength { display: flex; align-items: center; gap: .5rem; margin-top: .5rem; font-size: .8rem;
               color: var(--fw-faint); }
.fw-strength div { display: grid; grid-template-columns: repeat(13, 1fr); gap: 2px; flex: 1; max-width: 22rem; }
.fw-strength i { height: 9px; border: 1px solid var(--fw-line); border-radius: 1px; }
.fw-strength i:nth-child(7) { border-style: dashed; border-color: var(--fw-faint); }
.fw-strength i.fw-here { background: var(--fw-accent); border-color: var(--fw-accent); border-style: solid; }
.stApp .fw-strength-words { margin: .15rem 0 0; font-size: .8rem; color: var(--fw-faint); }
.fw-card summary { cursor: pointer; margin-top: .4rem; color: var(--fw-faint); font-size: .9rem; }
.fw-card details p { margin: .4rem 0 0; font-variant-numeric: tabular-nums; }
.fw-card .fw-sub { color: var(--fw-faint); font-size: .86rem; font-weight: 400; }
.fw-card ul { margin: .5rem 0 .6rem; padding-left: 1.15rem; line-height: 1.5; font-size: .95rem; }
.fw-card .fw-limits { border-top: 1px solid var(--fw-line); padding-top: .5rem; font-size: .88rem; line-height: 1.5;
                      color: var(--fw-faint); }
.fw-gauges { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr max-content; gap: .5rem .9rem;
             align-items: center; font-size: .92rem; }
.fw-gauge { position: relative; height: 10px; border-radius: 2px; background: var(--fw-soft);
            border: 1px solid var(--fw-line); min-width: 6rem; }
.fw-gauge i { position: absolute; top: -4px; bottom: -4px; width: 1px; background: var(--fw-faint); }
.fw-gauge b { position: absolute; top: -3px; width: 4px; height: 14px; margin-left: -2px; border-radius: 1px;
              background: var(--fw-dot); }
.fw-num { font-variant-numeric: tabular-nums; text-align: right; }
.st-key-actor_head { position: fixed; top: .55rem; right: 4.2rem; z-index: 999991; width: auto; }
.st-key-actor_head button { max-width: 16rem; }
.st-key-actor_head button p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.fw-exhibit { line-height: 1.4; overflow-wrap: anywhere; }
.fw-exhibit b { font-size: 1.05rem; margin-right: .5rem; }
.fw-stated { line-height: 1.45; overflow-wrap: anywhere; }
.fw-stated b { font-weight: 600; }
.fw-said { white-space: pre-wrap; font-size: .95rem; }
.fw-observations > b { display: block; font-size: .86rem; color: var(--fw-faint); padding-bottom: .2rem; }
.fw-observation { border-top: 1px solid var(--fw-line); padding: .32rem 0; font-size: .92rem; line-height: 1.45; }
.fw-observation summary { cursor: pointer; overflow-wrap: anywhere; }
.fw-observation summary .fw-note { font-size: .82rem; }
.fw-observation ul { margin: .1rem 0 .3rem; padding-left: 1.15rem; }
.fw-observation li { font-size: .86rem; }
.fw-observation div { padding-left: 1.6rem; }
.fw-drawing { max-width: 100%; height: auto; display: block; }
.fw-outcome { display: flex; gap: .7rem; padding: .6rem .8rem; border: 1px solid var(--fw-line); border-radius: 4px;
              line-height: 1.45; background: var(--fw-soft); overflow-wrap: anywhere; }
.fw-scroll { overflow-x: auto; }
.fw-table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
.fw-table th, .fw-table td { padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--fw-line); text-align: left;
                             vertical-align: middle; }
.fw-table thead th { color: var(--fw-faint); font-weight: 400; font-size: .82rem; white-space: nowrap; }
.fw-table tbody th { font-weight: 400; min-width: 9rem; overflow-wrap: anywhere; }
.fw-table td.fw-num { text-align: right; white-space: nowrap; }
.fw-table thead th.fw-num { text-align: right; }
.fw-table th:last-child, .fw-table td:last-child { padding-right: 0; }
.fw-table.fw-narrow { max-width: 46rem; }
.fw-wide td { min-width: 8rem; overflow-wrap: anywhere; vertical-align: top; padding-top: .45rem; }
.fw-wide .fw-interval { margin-bottom: .3rem; }
.fw-measure { display: flex; align-items: center; gap: 1rem; white-space: nowrap; }
.fw-interval { position: relative; height: 12px; width: 9rem; min-width: 7rem; background: linear-gradient(
               var(--fw-line), var(--fw-line)) center / 100% 1px no-repeat; }
.fw-interval i, .fw-interval b { position: absolute; display: block; }
.fw-interval .fw-chance { left: 50%; top: 0; bottom: 0; width: 0; border-left: 1px dashed var(--fw-faint); }
.fw-interval .fw-span { top: 4px; height: 4px; background: #56B4E9; border-radius: 2px; }
.fw-interval b { top: 1px; width: 4px; height: 10px; margin-left: -2px; border-radius: 1px;
                 background: light-dark(#005A8C, #7CC4F0); }
.fw-count { width: 7rem; height: 8px; }
.fw-count i { display: block; height: 8px; min-width: 1px; border-radius: 1px; background: #56B4E9; }
.fw-confusion { border-collapse: separate; border-spacing: 4px; font-size: .92rem; font-variant-numeric: tabular-nums; }
.fw-confusion th { font-weight: 400; color: var(--fw-faint); padding: .2rem .6rem .2rem 0; text-align: left; }
.fw-confusion td { min-width: 7.5rem; padding: .8rem; text-align: center; border-radius: 3px;
                   background: color-mix(in srgb, #56B4E9 calc(var(--fw-share) * .45), var(--fw-soft)); }
.fw-confusion td b { display: block; font-size: 1.15rem; }
.fw-models { font-size: .88rem; }
.fw-models .fw-gauge { min-width: 4rem; }
.fw-models:not(.fw-short) { max-width: 72rem; }
.fw-short th, .fw-short td { padding-top: .13rem; padding-bottom: .13rem; }
.st-key-moments { gap: .2rem .4rem !important; }
.st-key-moments button { padding: 0 .45rem; min-height: 1.7rem; }
.fw-models tbody th { min-width: 7rem; }
.fw-table tbody th.fw-fuses { font-weight: 600; }
.fw-behind details { padding: .1rem 0 .5rem; }
.fw-behind summary { cursor: pointer; color: var(--fw-faint); font-size: .86rem; }
.fw-behind .fw-note { padding-top: .4rem; }
.fw-behind .fw-table { max-width: 52rem; }
.fw-cues { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .6rem; }
.fw-cue { border: 1px solid var(--fw-line); border-radius: 4px; padding: .55rem .7rem; background: var(--fw-soft);
          display: flex; flex-direction: column; justify-content: space-between; gap: .35rem; font-size: .92rem; }
.fw-cue-score { display: flex; align-items: center; gap: .8rem; }
.fw-cue-score .fw-gauge { flex: 1; }
.fw-cue-score .fw-num { font-weight: 600; }
.fw-text { margin: 0; line-height: 1.5; font-size: .95rem; }
.stApp .fw-spread { grid-template-columns: minmax(0, auto) minmax(3.5rem, 1fr) max-content; }
.fw-spread .fw-gauge b { width: 2px; margin-left: -1px; opacity: .55; }
.fw-tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(116px, 1fr)); gap: .7rem .6rem; }
.fw-tiles.fw-columns { grid-template-columns: repeat(var(--fw-columns), minmax(0, 1fr));
                       max-width: calc(var(--fw-columns) * 9rem); }
.fw-tiles figure { margin: 0; min-width: 0; }
.fw-tiles img { width: 100%; aspect-ratio: 1; border-radius: 2px; display: block; }
.fw-tiles figcaption { font-size: .8rem; line-height: 1.3; padding-top: .25rem; overflow-wrap: anywhere; }
.fw-tiles figcaption .fw-note { display: block; font-size: .78rem; font-variant-numeric: tabular-nums; }
.fw-scale { display: flex; align-items: center; gap: .5rem; font-size: .8rem; color: var(--fw-faint);
            font-variant-numeric: tabular-nums; }
.fw-aside .fw-bar { width: 5rem; }
.fw-scale .fw-bar { flex: 1; max-width: 16rem; }
.fw-bar { display: inline-block; height: 8px; border-radius: 2px; background:
  linear-gradient(90deg,#00224e,#123570,#3b496c,#575d6d,#707173,#8a8678,#a59c74,#c3b369,#e1cc55,#fee838); }
"""


def apply() -> None:
    """Add the style to the page being drawn."""
    st.html(f"<style>{_CSS}</style>")
