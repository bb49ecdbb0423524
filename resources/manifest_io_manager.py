"""Hands manifests from asset to asset as JSON on the store. Never pickles: who can write there must not run code."""

import json
from typing import Any

import dagster as dg

from posegen.settings import Settings
from posegen.storage.keys import manifest_key
from posegen.storage.stores import Stores

Manifest = dict[str, Any]


class ManifestIOManager(dg.IOManager):
    """Writes `manifests/{asset}/{partition}.json`, replacing what an earlier run wrote."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def handle_output(self, context: dg.OutputContext, obj: Manifest) -> None:
        """Store the manifest and show where it lies."""
        key = _key(context)
        data = json.dumps(obj, indent=1, sort_keys=True).encode()
        Stores.of(self._settings).current.put(key, data, content_type="application/json", create_only=False)
        context.add_output_metadata({"manifest": key, "manifest size": len(data)})

    def load_input(self, context: dg.InputContext) -> Manifest:
        """The manifest that the upstream asset wrote for this partition."""
        manifest: Manifest = json.loads(Stores.of(self._settings).find(_key(context)))
        return manifest


def _key(context: dg.InputContext | dg.OutputContext) -> str:
    partition = context.asset_partition_key if context.has_asset_partitions else None
    return manifest_key(context.asset_key.path[-1], partition)
