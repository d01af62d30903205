"""The load manager's actions and conditions. Their names and documentation stand in the catalog."""

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome import automation
from esphome.components.esp32evse.codegen import teach
from esphome.const import CONF_ID, CONF_MODE

from . import Mode, catalog
from .codegen import DOMAIN, LoadManager, belongs_to, index_of, load_manager_ns, need_safe_defaults, use_part

#: Argument of an action -> its validator, and its type in C++.
_ARGUMENTS = {
    "mode": (teach(CONF_MODE, "one of " + ", ".join(catalog.MODES), cv.one_of(*catalog.MODES, lower=True)), Mode),
    "current": (teach("current", "6 to 630 A", cv.All(cv.current, cv.Range(min=6, max=630))), cg.float_),
    "power": (teach("power", "1 to 50 kW, as a number", cv.All(cv.float_, cv.Range(min=1, max=50))), cg.float_),
}
_MODES = {mode: getattr(Mode, mode.upper()) for mode in catalog.MODES}


def _class_name(name: str, kind: str) -> str:
    return "".join(word.capitalize() for word in name.split("_")) + kind


def _schema(row: catalog.Automation):
    keys = {cv.GenerateID(): cv.use_id(LoadManager), **belongs_to(row.of)}
    for argument in row.arguments:
        validator, _ = _ARGUMENTS[argument.key]
        keys[cv.Required(argument.key)] = cv.templatable(validator)
    if row.arguments:
        return cv.maybe_simple_value(cv.Schema(keys), key=row.arguments[0].key)
    return automation.maybe_simple_id(cv.Schema(keys))


def _register_action(row: catalog.Automation) -> None:
    class_ = load_manager_ns.class_(_class_name(row.name, "Action"), automation.Action)

    @automation.register_action(f"{DOMAIN}.{row.name}", class_, _schema(row), synchronous=True)
    async def to_code(config, action_id, template_arg, args):
        manager = await cg.get_variable(config[CONF_ID])
        variable = cg.new_Pvariable(action_id, template_arg, manager, index_of(row.of, config))
        if row.name == "set_current_limit":
            use_part("LIMITS")
        if row.name == "write_safe_defaults":
            need_safe_defaults(manager, index_of(row.of, config))
        for argument in row.arguments:
            _, type_ = _ARGUMENTS[argument.key]
            names = _MODES if argument.key == CONF_MODE else None
            value = await cg.templatable(config[argument.key], args, type_, names)
            cg.add(getattr(variable, f"set_{argument.key}")(value))
        return variable


def _register_condition(row: catalog.Automation) -> None:
    class_ = load_manager_ns.class_(_class_name(row.name, "Condition"), automation.Condition)

    @automation.register_condition(f"{DOMAIN}.{row.name}", class_, _schema(row))
    async def to_code(config, condition_id, template_arg, args):
        manager = await cg.get_variable(config[CONF_ID])
        return cg.new_Pvariable(condition_id, template_arg, manager, index_of(row.of, config))


for _row in catalog.ACTIONS:
    _register_action(_row)
for _row in catalog.CONDITIONS:
    _register_condition(_row)
