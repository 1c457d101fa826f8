"""One analysis in a CASE/UCO graph: the action, what it used, and what came of it."""

from __future__ import annotations

from detector.analysis.types import Analysis, ModelResult
from detector.evidence.forensics.types import Observation
from detector.report.record import AnalysisEntry
from detector.report.uco_graph import Graph, content_facet, literal, person, ref, refs, text


class AnalysisNodes:
    """Adds the nodes of one analysis of the exhibit whose file node is `file`. `seen` are those that the investigation
    holds."""

    def __init__(self, graph: Graph, entry: AnalysisEntry, file: str) -> None:
        self.graph = graph
        self.seen: list[str] = []
        self._entry, self._file = entry, file

    def add(self, saved_by: str) -> str:
        """Add the analysis, saved by the person of this name ("" where that is not known), and return its action."""
        saved, analysis = self._entry.saved, self._entry.analysis
        key = saved.record_id
        action = self.graph.add(["case-investigation:InvestigativeAction", "uco-analysis:Analysis"], key)
        results = [self._conclusion(key, analysis, action)]
        results += [self._model_result(key, model, action) for model in analysis.models]
        if analysis.forensics is not None:
            results += [
                self._observation(key, number, observation, action)
                for number, observation in enumerate(analysis.forensics.observations)
            ]
        output = [
            self._output(artefact.sha256, artefact.size_bytes, artefact.path.name) for artefact in saved.artefacts
        ]
        origin = self.graph.add(
            "case-investigation:ProvenanceRecord",
            f"results of {key}",
            uco_core__description=["Results of the analysis"],
            uco_core__objectCreatedTime=literal(saved.created_at),
            uco_core__object=refs([*results, *output]),
        )
        tool = self._tool(analysis)
        node = self.graph.nodes[action]
        node |= {
            "uco-core:name": "Examination for manipulated faces",
            "uco-core:description": [text(f"Analysis {analysis.analysis_id}, saved as {key}")],
            "uco-action:endTime": literal(saved.created_at),
            "uco-action:instrument": refs([self._configured(key, analysis, tool), *map(self._model, analysis.models)]),
            "uco-action:object": refs([self._file]),
            "uco-action:result": refs([origin, *results, *output]),
        }
        if saved_by:
            node["uco-action:performer"] = ref(person(self.graph, saved_by))
        self.seen += [action, origin, *results]
        return action

    def _tool(self, analysis: Analysis) -> str:
        tool = analysis.tool
        commit = [text(f"commit {tool.commit}")] if tool.commit else None
        return self.graph.add(
            "uco-tool:AnalyticTool",
            f"{tool.name} {tool.version} {tool.commit}",
            uco_core__name=text(tool.name),
            uco_core__description=commit,
            uco_tool__toolType="detector of manipulated faces",
            uco_tool__version=text(tool.version),
        )

    def _configured(self, key: str, analysis: Analysis, tool: str) -> str:
        told = {**analysis.settings.to_dict(), "settings_sha256": analysis.settings.sha256, **analysis.environment}
        entries = [
            self.graph.add(
                "uco-configuration:ConfigurationEntry",
                f"{key} {name}",
                uco_configuration__itemName=text(name),
                uco_configuration__itemValue=[text(value)],
            )
            for name, value in told.items()
        ]
        configuration = self.graph.add(
            "uco-configuration:Configuration", key, uco_configuration__configurationEntry=refs(entries)
        )
        return self.graph.add(
            "uco-tool:ConfiguredTool",
            key,
            uco_core__name=text(f"{analysis.tool.name} {analysis.tool.version} as configured for {key}"),
            uco_configuration__isConfigurationOf=ref(tool),
            uco_configuration__usesConfiguration=ref(configuration),
        )

    def _model(self, model: ModelResult) -> str:
        name = f"{model.model_id} {model.weights_sha256}"
        return self.graph.add(
            "uco-tool:AnalyticTool",
            name,
            uco_core__name=text(model.model_id),
            uco_tool__toolType=f"neural network ({model.kind})",
            uco_core__hasFacet=[
                self.graph.facet("ModelFacet", name, kind=model.kind, weightsSha256=model.weights_sha256)
            ],
        )

    def _result(self, name: str, title: str, facets: list[dict[str, str]], action: str) -> str:
        return self.graph.add(
            "uco-analysis:AnalyticResult",
            name,
            uco_core__name=text(title),
            uco_analysis__originatingAnalysis=ref(action),
            uco_analysis__resultContent=refs([self._file]),
            uco_core__hasFacet=facets,
        )

    def _conclusion(self, key: str, analysis: Analysis, action: str) -> str:
        found = analysis.conclusion
        facet = self.graph.facet(
            "ConclusionFacet",
            key,
            label=found.label,
            score=found.score,
            calibrated=found.calibrated,
            likelihoodRatio=found.likelihood_ratio,
            interval=found.interval,
            reason=tuple(reason.text for reason in found.reasons),
            framesExamined=analysis.frames_examined,
            tracks=len(analysis.tracks),
        )
        return self._result(f"conclusion of {key}", "Conclusion", [facet], action)

    def _model_result(self, key: str, model: ModelResult, action: str) -> str:
        name = f"{key} {model.model_id}"
        facets = [
            self.graph.facet(
                "ModelResultFacet",
                name,
                modelId=model.model_id,
                weightsSha256=model.weights_sha256,
                kind=model.kind,
                score=model.score,
                logit=model.logit,
                reason=model.reason,
            )
        ]
        facets += [
            self.graph.facet(
                "TrackScoreFacet",
                f"{name} {track.track_id}",
                trackId=track.track_id,
                score=track.score,
                logit=track.logit,
                frames=len(track.frames),
            )
            for track in model.tracks
        ]
        facets += [
            self.graph.facet(
                "CueFacet", f"{name} {cue.cue}", cue=cue.cue, score=cue.score, logit=cue.logit, reason=cue.reason
            )
            for cue in model.specialists
        ]
        return self._result(f"result of {name}", f"Score of {model.model_id}", facets, action)

    def _observation(self, key: str, number: int, found: Observation, action: str) -> str:
        facet = self.graph.facet(
            "ObservationFacet",
            f"{key} {number}",
            code=found.code,
            group=found.group,
            finding=found.finding,
            canMean=tuple(found.can_mean),
            cannotMean=tuple(found.cannot_mean),
            weight=found.weight,
        )
        return self._result(f"observation {number} of {key}", found.title, [facet], action)

    def _output(self, sha256: str, size_bytes: int, name: str) -> str:
        return self.graph.add(
            "uco-observable:File",
            f"output {sha256}",
            uco_core__name=text(name),
            uco_core__hasFacet=[content_facet(self.graph, f"output {sha256}", sha256, size_bytes)],
        )
