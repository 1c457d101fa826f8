"""One exhibit in the HTML report: the item received, and each analysis of it, in the order of the PDF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.report.html_elements import Content, Markup, element
from detector.report.html_parts import bullets, conclusion_card, facts, lines, notice, picture, small, table

Data = Mapping[str, Any]


class ExhibitWriter:
    """Writes exhibits with the phrases `w` and the pictures `files` of a payload."""

    def __init__(self, w: Mapping[str, str], files: Mapping[str, bytes]) -> None:
        self.w, self.files = w, files

    def exhibit(self, exhibit: Data) -> Markup:
        w = self.w
        parts: list[Content] = [
            element("h2", exhibit["title"]),
            element("p", element("b", element("bdi", exhibit["name"]))),
            element("h3", w["exhibit.received"]),
            facts([*exhibit["hashes"], *exhibit["facts"]]),
            lines(exhibit["description"]) if exhibit["description"] else "",
            notice(exhibit["problem"]) if exhibit["problem"] else "",
            element("p", exhibit["integrity"]),
            bullets(exhibit["warnings"]),
        ]
        if exhibit["tags"]:
            parts += [element("h4", w["exhibit.tags"]), facts(exhibit["tags"]), small(exhibit["tags_more"])]
        parts += [notice(sentence) for sentence in exhibit["unreadable"]]
        if exhibit["withheld"]:
            parts.append(notice(w["brief.withheld"]))
        elif not exhibit["analyses"] and not exhibit["unreadable"]:
            parts.append(notice(w["exhibit.no_analysis"]))
        parts += [self.analysis(analysis) for analysis in exhibit["analyses"]]
        return element("section", *parts, id=f"exhibit-{exhibit['number']}", class_="exhibit")

    def analysis(self, analysis: Data) -> Markup:
        w = self.w
        timeline = analysis["timeline"]
        return element(
            "article",
            element("h3", analysis["title"]),
            conclusion_card(analysis["conclusion"]),
            element("p", analysis["examined"]),
            self._models(analysis["models"]),
            element("h4", w["timeline.title"]),
            picture(self.files, timeline["file"], w["timeline.alt"]) if timeline["file"] else "",
            small(timeline["note"]),
            element("h4", w["tracks.title"]),
            self._tracks(analysis),
            element("h4", w["strong.title"]),
            self._strong_frames(analysis),
            self._parts(analysis),
            element("h4", w["forensics.title"]),
            self._forensics(analysis["forensics"]),
            element("h4", w["provenance.title"]),
            self._provenance(analysis["provenance"]),
            element("h4", w["strength.title"]),
            self._strength(analysis["strength"]),
            element("h4", w["sensitivity.title"]),
            self._missing(analysis, "sensitivity"),
            element("h4", w["analysis.parameters"]),
            facts(
                [
                    *analysis["settings"],
                    (w["analysis.settings_sha256"], analysis["settings_sha256"]),
                    (w["analysis.id"], analysis["analysis_id"]),
                    (w["analysis.record"], analysis["record_id"]),
                    (w["analysis.made_by"], analysis["tool"]),
                ]
            ),
        )

    def scores(self, exhibit: Data, analysis: Data) -> Markup:
        """Every scored face of an analysis, for the appendix."""
        w, scores = self.w, analysis["scores"]
        title = w["appendix.analysis"].replace("{number}", exhibit["number"]).replace("{record}", analysis["record_id"])
        parts: list[Content] = [element("h3", title), element("p", scores["statement"])]
        if scores["rows"]:
            names = ("appendix.time", "strong.pts", "strong.frame", "strong.track", "strong.weight")
            heads = [*(w[name] for name in names), *scores["models"]]
            parts.append(table(heads, scores["rows"], caption=title, numeric=range(len(heads))))
        for strip in scores["strips"]:
            heads = [w["appendix.time"], w["appendix.scores"]]
            parts += [element("h4", strip["title"]), table(heads, strip["rows"], caption=strip["title"], numeric=(0,))]
        return element("section", *parts)

    def _missing(self, analysis: Data, name: str) -> Markup:
        return element("p", analysis["missing"][name], class_="missing")

    def _models(self, models: list[Data]) -> Markup:
        if not models:
            return Markup("")
        w = self.w
        names = ("analysis.score", "analysis.logit", "analysis.tracks_scored", "analysis.faces_scored")
        rows = [
            [
                [
                    element("b", model["label"]),
                    " ",
                    model["model_id"],
                    small(model["reason"]) if model["reason"] else "",
                ],
                *(model[name] for name in ("score", "logit", "tracks", "faces")),
            ]
            for model in models
        ]
        heads = [w["analysis.model"], *(w[name] for name in names)]
        return table(heads, rows, caption=w["analysis.model"], numeric=range(1, 5))

    def _tracks(self, analysis: Data) -> Content:
        tracks = analysis["tracks"]
        if not tracks["rows"]:
            return self._missing(analysis, "tracks")
        names = ("track", "from", "to", "faces", "decides", "size", "weight", "gaps")
        heads = [*(self.w[f"tracks.{name}"] for name in names), *tracks["models"]]
        made = table(heads, tracks["rows"], caption=self.w["tracks.title"], numeric=range(1, len(heads)))
        return [made, small(tracks["more"])]

    def _strong_frames(self, analysis: Data) -> Content:
        if not analysis["frames"]:
            return self._missing(analysis, "strong")
        parts: list[Content] = [small(self.w["strong.text"])]
        parts += [self._strong_frame(frame) for frame in analysis["frames"]]
        parts += [
            small(self.w["strong.heat"], " 0 – ", scale["top"], " ", scale["text"]) for scale in analysis["heat_scale"]
        ]
        if analysis["heat_scale"]:
            parts.append(small(analysis["heat_tested"]))
        return parts

    def _strong_frame(self, frame: Data) -> Markup:
        w = self.w
        told = [("strong.score", "score"), ("strong.track", "track"), ("strong.weight", "weight")]
        told += [("strong.pts", "pts"), ("strong.frame", "index")]
        told += [("strong.quality", "flags")] if frame["flags"] else []
        told += [("strong.heatmap_of", "model")] if frame["overlay"] else []
        drawn = [("frame", "frame_alt"), ("crop", "face_alt"), ("overlay", "heat_alt")]
        return element(
            "figure",
            element(
                "figcaption",
                element("p", element("b", f"{frame['number']}. "), element("b", frame["time"])),
                facts([(w[key], frame[name]) for key, name in told]),
                [small(sentence) for sentence in (*frame["missing"], *frame["heat_test"])],
            ),
            [picture(self.files, frame[name], frame[alt]) for name, alt in drawn if frame[name]],
        )

    def _parts(self, analysis: Data) -> Content:
        """What stands behind the scores: members of an ensemble, specialists, attention, lips and voice."""
        w = self.w
        parts: list[Content] = []
        if analysis["members"]:
            names = (
                "members.ensemble",
                "members.member",
                "members.cue",
                "analysis.logit",
                "members.share",
                "members.reason",
            )
            keys = ("ensemble", "model", "cue", "logit", "share", "reason")
            rows = [[row[key] for key in keys] for row in analysis["members"]]
            title = w["members.title"]
            parts += [element("h4", title), table([w[name] for name in names], rows, caption=title, numeric=(3, 4))]
        parts.append(element("h4", w["cues.title"]))
        if analysis["cues"]:
            heads = ("cues.cue", "analysis.model", "analysis.score", "analysis.logit", "cues.text")
            rows = [
                [f"{row['cue']} {row['title']}", *(row[key] for key in ("model", "score", "logit", "text"))]
                for row in analysis["cues"]
            ]
            parts.append(table([w[name] for name in heads], rows, caption=w["cues.title"], numeric=(2, 3)))
            parts.append(small(w["cues.note"]))
        else:
            parts.append(self._missing(analysis, "cues"))
        parts.append(element("h4", w["attention.title"]))
        parts.append(small(w["attention.note"]) if analysis["watched"] else self._missing(analysis, "attention"))
        if analysis["over_time"]:
            parts.append(picture(self.files, analysis["over_time"], w["figure.over_time_alt"]))
        parts.append(element("h4", w["sync.title"]))
        if analysis["sync"]:
            columns = [w[f"sync.{name}"] for name in ("window", "score", "correlation", "lag")]
            parts.append(table(columns, analysis["sync"], caption=w["sync.title"], numeric=(1, 2, 3)))
            parts.append(small(w["sync.note"], " ", analysis["sync_more"]))
        else:
            parts.append(self._missing(analysis, "sync"))
        return parts

    def _forensics(self, found: Data) -> Content:
        if found["missing"]:
            return element("p", found["missing"], class_="missing")
        w = self.w
        parts: list[Content] = [small(w["forensics.text"]), facts(found["facts"])]
        if not found["observations"]:
            parts.append(element("p", w["forensics.nothing"]))
        for one in found["observations"]:
            title = ["⚠ " if one["attention"] else "", one["title"]]
            meanings = [(w["forensics.can"], "; ".join(one["can"])), (w["forensics.cannot"], "; ".join(one["cannot"]))]
            parts.append(
                element(
                    "div",
                    element(
                        "p",
                        element("b", title),
                        " ",
                        element("span", f"{one['group']} · {one['weight']}", class_="small"),
                    ),
                    element("p", one["finding"]),
                    facts(meanings),
                    class_="observation",
                )
            )
        return [*parts, small(found["more"]), bullets(found["limits"])]

    def _provenance(self, found: Data) -> Content:
        if found["missing"]:
            return element("p", found["missing"], class_="missing")
        parts: list[Content] = [element("p", found["text"])]
        if found["statement"] and found["state"] != "absent":
            parts.append(element("p", found["statement"]))
        parts += [facts(found["facts"]), facts(found["validation"])]
        return parts

    def _strength(self, strength: Data) -> Content:
        w = self.w
        parts: list[Content] = [element("p", strength["text"]), facts(strength["facts"])]
        for model in strength["models"]:
            parts += [notice(element("b", model["label"]), " ", sentence) for sentence in model["sentences"]]
            if model["rows"]:
                names = ("set", "auc", "auc_95", "genuine", "manipulated", "remark")
                caption = f"{model['label']}: {w['strength.measured']}"
                heads = [w[f"strength.{name}"] for name in names]
                parts.append(table(heads, model["rows"], caption=caption, numeric=range(1, 5)))
            parts.append(small(model["left"]))
        if strength["models"]:
            parts.append(small(w["strength.measured_text"]))
        return parts
