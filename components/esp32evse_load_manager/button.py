"""Buttons of the load manager."""

from esphome.components import button

from . import codegen

DEPENDENCIES = [codegen.DOMAIN]

SafeDefaultsButton = codegen.load_manager_ns.class_("SafeDefaultsButton", button.Button)

CONFIG_SCHEMA = codegen.platform_schema(
    "button",
    lambda entity: button.button_schema(SafeDefaultsButton, **codegen.presentation(entity, "icon", "category")),
)
FINAL_VALIDATE_SCHEMA = codegen.final_platform("button")


async def _new(entity, config, manager, index):
    codegen.need_safe_defaults(manager, index)
    return await button.new_button(config, manager, index)


async def to_code(config):
    await codegen.platform_to_code("button", config, _new)
