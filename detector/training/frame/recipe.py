"""Train a frame model from a config and a manifest: faces, shards, leakage, fit, report."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import asdict
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
import pandas as pd
import torch

from detector.errors import SettingsError
from detector.training.data.clip_pairs import ClipPairs
from detector.training.data.facebank import FaceBank, build_bank
from detector.training.data.leakage import LeakageReport, check_leakage
from detector.training.data.pool import SampleMaker, Shard, keep_filling, read_shard, shard_paths
from detector.training.data.properties import describe_images
from detector.training.data.readings import open_readings, read_clips
from detector.training.data.reconstruction import fit_all, load_all
from detector.training.engine.fit import fit
from detector.training.engine.progress import Progress
from detector.training.frame.config import FrameConfig, load_config
from detector.training.frame.device_buffer import DeviceBuffer
from detector.training.frame.hard_negatives import HardSamples
from detector.training.frame.module import FrameModule
from detector.training.frame.samples import PoolBatches, Row, ShardBatches

_HARD_KEPT = 256  # of each label; a row takes 150 kB at 160 px


def train_frame(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe of kind "frame". `run_dir` also receives `bank/`, `pool/` and, where the config asks for hard samples,
    `hard_negatives.csv` (name `SHARD:ROW`, label, loss). Networks that paint faces and, where the config asks for
    frames of video, the readings of the genuine clips go into `clips` beside it, where sequence models find them."""
    config = load_config(config_path)
    bank_dir, pool, clips = run_dir / "bank", run_dir / "pool", run_dir.parent / "clips"
    networks_dir = clips / "repainters"
    if not (bank_dir / "table.parquet").is_file():
        build_bank(data_root, bank_dir)
    bank = FaceBank.open(bank_dir)
    fit_all(bank, networks_dir, minutes=config.resynthesiser_minutes, device=device)
    if config.clip_share:
        read_clips(data_root, clips / "readings")
    writers = _start_writers(bank_dir, clips, pool, config)
    if config.writers > 1:
        _on_one_thread()
    try:
        validation = sample_maker(bank, clips, config, "val", seed=config.fit.seed + 1).shard(
            0, pairs=min(400, config.shard_pairs), labelled=min(800, config.shard_labelled)
        )
        _await_shards(pool, writers)
        train_on_pool(config, pool, validation, run_dir, device)
    finally:
        for writer in writers:
            writer.terminate()


def train_on_pool(config: FrameConfig, pool: Path, validation: Shard, run_dir: Path, device: str) -> None:
    """Fit a frame model on the shards in `pool`; a GPU holds them in its memory, unless hard samples are asked for."""
    hard: HardSamples[Row] | None = HardSamples(_HARD_KEPT) if config.hard_share else None
    facts = {
        "kind": "frame",
        "model_id": config.model_id,
        "title": config.title,
        "config": asdict(config),
        "config_sha256": config.sha256,
    }
    fit(
        FrameModule(config, hard),
        PoolBatches(pool, config, hard) if device == "cpu" or hard is not None else DeviceBuffer(pool, config, device),
        ShardBatches(validation, config),
        config.fit,
        run_dir,
        device=device,
        facts=facts,
        leakage=check_mix([read_shard(path) for path in shard_paths(pool)[:2]]),
    )
    if hard is not None:
        hard.write(run_dir / "hard_negatives.csv")


def check_mix(shards: list[Shard]) -> LeakageReport:
    """Leakage of what a frame model is shown: properties of the stored crops, and which part of the mix they are of."""
    tables = []
    for shard in shards:
        table = describe_images(shard.images)
        table["label"] = shard.labels.astype(int)
        table["part"] = ["pair" if row < shard.pair_rows else "labelled" for row in range(len(table))]
        tables.append(table)
    return check_leakage(pd.concat(tables, ignore_index=True), what="crops of the training mix")


def _start_writers(bank_dir: Path, clips: Path, pool: Path, config: FrameConfig) -> list[BaseProcess]:
    """The processes that fill the pool: spawned and daemonic, they end with this one and share no threads with it."""
    if os.environ.get("LOCAL_RANK", "0") != "0":  # one of several training processes; the first one has them
        return []
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_fill, args=(bank_dir, clips, pool, config, number), daemon=True)
        for number in range(config.writers)
    ]
    for writer in writers:
        writer.start()
    return list(writers)


def _on_one_thread() -> None:
    """Several processes that share the processors waste least when each works on one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _await_shards(pool: Path, writers: list[BaseProcess]) -> None:
    progress = Progress("making the first samples")
    while (made := len(shard_paths(pool))) < 2:
        progress(made, 2)
        if writers and not any(writer.is_alive() for writer in writers):
            raise SettingsError("The sample writer stopped; see its message above.")
        time.sleep(1)


def sample_maker(bank: FaceBank, clips: Path, config: FrameConfig, split: str, *, seed: int) -> SampleMaker:
    """The maker of samples of a split as the config says, from the networks and readings in `clips`."""
    networks = load_all(clips / "repainters")
    video = ClipPairs(list(open_readings(clips / "readings", split)), networks) if config.clip_share else None
    return SampleMaker(
        bank,
        split,
        config.margin,
        config.input_px,
        seed=seed,
        resynthesisers=networks,
        resynthesis_share=config.resynthesis_share,
        clips=video,
        clip_share=config.clip_share,
    )


def _fill(bank_dir: Path, clips: Path, pool: Path, config: FrameConfig, number: int) -> None:
    if config.writers > 1:
        _on_one_thread()
    keep_filling(
        sample_maker(FaceBank.open(bank_dir), clips, config, "train", seed=config.fit.seed),
        pool,
        pairs=config.shard_pairs,
        labelled=config.shard_labelled,
        coarse_shards=config.coarse_shards,
        keep=config.keep_shards,
        writer=number,
        writers=config.writers,
    )
