"""Selects of the load manager: the mode."""

from esphome.components import select

from . import catalog, codegen

DEPENDENCIES = [codegen.DOMAIN]

ModeSelect = codegen.load_manager_ns.class_("ModeSelect", select.Select)

CONFIG_SCHEMA = codegen.platform_schema(
    "select", lambda entity: select.select_schema(ModeSelect, **codegen.presentation(entity, "icon", "category"))
)
FINAL_VALIDATE_SCHEMA = codegen.final_platform("select")


async def _new(entity, config, manager, index):
    has_sun = catalog.SURPLUS in codegen.data().features
    modes = [mode for mode in catalog.MODES if has_sun or "solar" not in mode]
    return await select.new_select(config, manager, index, options=modes)


async def to_code(config):
    await codegen.platform_to_code("select", config, _new)
