"""What users copy: every example validates, is complete, and leaves nothing open."""

from __future__ import annotations

import re

import pytest

from tests.examples import configs
from tests.security.exposure import guarded
from tools.docs import pages as docs

catalog = docs.catalog

#: Nodes for a computer, without Wi-Fi.
ON_A_COMPUTER = {"host.yaml"}

#: Other systems' ways to the charger: their entities are internal and have no names.
INTERNAL = {"modbus-server.yaml", "mqtt.yaml"}

#: Keys of a block that are no entities.
NOT_ENTITIES = {"platform", "id", "esp32evse_id"}

WRAPPER = """
esphome: {name: wrapper}
esp32: {board: esp32dev, framework: {type: esp-idf}}
logger:
external_components: [{source: {type: local, path: ../components}}]
packages:
"""


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    return configs.lay_out(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def resolved(examples):
    """name -> resolved configuration of that example, each made once."""
    known: dict[str, dict] = {}

    def resolve(name: str) -> dict:
        if name not in known:
            known[name] = configs.resolved(examples / name)
        return known[name]

    return resolve


def entities(config: dict) -> list[tuple[str, str]]:
    """(platform, key) of every entity of the component in a resolved configuration."""
    return [
        (platform, key)
        for platform in catalog.PLATFORMS
        for block in config.get(platform, [])
        if block["platform"] == "esp32evse"
        for key in block
        if key not in NOT_ENTITIES
    ]


def source(name: str) -> str:
    return (configs.EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", configs.NAMES)
def test_example_is_valid_and_closed(resolved, name):
    config = resolved(name)
    assert config["esp32evse"]
    assert entities(config)
    assert guarded(config) == []


def test_a_wrong_example_is_refused(examples):
    """The proof that the tests above can fail."""
    wrong = examples / "wrong.yaml"
    wrong.write_text(source("evse.yaml").replace("emeter_power:", "emeter_powr:"), encoding="utf-8")
    valid, output = configs.validate(wrong)
    assert not valid
    assert "emeter_powr" in output


@pytest.mark.parametrize("package", configs.PACKAGES)
def test_each_package_is_valid_by_itself(examples, package):
    parts = dict.fromkeys(["secured-node.yaml", "evse-link.yaml", package])
    lines = (f"  p{index}: !include packages/{name}\n" for index, name in enumerate(parts))
    wrapper = examples / f"wrap-{package}"
    wrapper.write_text(WRAPPER + "".join(lines), encoding="utf-8")
    config = configs.resolved(wrapper)
    assert set(configs.load(source(f"packages/{package}"))) - {"substitutions", "packages"} <= set(config)


def blocks_of(package: str) -> list[tuple[str, dict]]:
    """(platform, block) of each of the component's blocks in a package."""
    parts = configs.load(source(f"packages/{package}")).items()
    return [
        (platform, block)
        for platform, blocks in parts
        if platform in catalog.PLATFORMS
        for block in blocks
        if block.get("platform") == "esp32evse"
    ]


@pytest.mark.parametrize("package", configs.PACKAGES)
def test_package_can_be_customised(examples, package):
    """In every block the first entity is extended and the last one removed; then whole blocks are removed. What a
    package does for another system needs all of its entities."""
    parts = dict.fromkeys(["secured-node.yaml", "evse-link.yaml", package])
    wrapper = WRAPPER + "".join(f"  p{index}: !include packages/{name}\n" for index, name in enumerate(parts))
    wrapper += "esp32evse: [{id: !extend evse, keep_settings: true}]\n"
    changed, whole = dict.fromkeys(p for p, _ in blocks_of(package)), {}
    expected = set()
    for platform in changed:
        lines = []
        for block in (block for its_platform, block in blocks_of(package) if its_platform == platform):
            keys = [key for key in block if key not in NOT_ENTITIES]
            block_id = block["id"].replace("${evse}", "evse")
            removed = f", {keys[-1]}: !remove " if len(keys) > 1 and package not in INTERNAL else ""
            lines.append(f"  - {{id: !extend {block_id}, {keys[0]}: {{icon: 'mdi:abacus'}}{removed}}}")
            whole.setdefault(platform, []).append(f"  - {{id: !remove {block_id}}}")
            expected |= {(platform, key) for key in (keys[:-1] if removed else keys)}
        wrapper += f"{platform}:\n" + "\n".join(lines) + "\n"
    config_file = examples / f"customised-{package}"
    config_file.write_text(wrapper, encoding="utf-8")
    config = configs.resolved(config_file)
    assert set(entities(config)) == expected
    assert config["esp32evse"][0]["keep_settings"] is True
    icons = [
        entity.get("icon")
        for platform in changed
        for block in config[platform]
        for entity in block.values()
        if isinstance(entity, dict)
    ]
    assert icons.count("mdi:abacus") == len(blocks_of(package))
    if whole and package not in INTERNAL:
        head = wrapper[: wrapper.index("esp32evse: [")]
        config_file.write_text(
            head + "".join(f"{p}:\n" + "\n".join(ids) + "\n" for p, ids in whole.items()), encoding="utf-8"
        )
        assert entities(configs.resolved(config_file)) == []


#: Packages of a node, not of a charger, and the link, which `test_package_of_two_chargers` needs anyway.
COMMON = {"secured-node.yaml", "esphome-version.yaml", "evse-link.yaml"}

#: How the packages of two chargers are told apart in Home Assistant: by names, or by devices.
APART = {
    "prefix": ("prefix: '{Name} '", ""),
    "device": ("device: {name}_device", "{{id: {name}_device, name: {Name}}},"),
}


@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("package", sorted(set(configs.PACKAGES) - INTERNAL - COMMON))
def test_package_of_two_chargers(examples, package, apart):
    """What one charger's package is given does not reach into the other's."""
    variables, device = APART[apart]
    names = {"left": "tx_pin: GPIO17, rx_pin: GPIO16", "right": "tx_pin: GPIO26, rx_pin: GPIO25"}
    devices = "".join(device.format(name=name, Name=name.title()) for name in names)
    lines = ["  node: !include packages/secured-node.yaml"]
    for name, pins in names.items():
        given = {"evse-link.yaml": pins, package: variables.format(name=name, Name=name.title())}
        for file, values in given.items():
            lines.append(f"  {name}_{file[:-5]}: !include {{file: packages/{file}, vars: {{evse: {name}, {values}}}}}")
    wrapper = WRAPPER.replace("{name: wrapper}", f"{{name: wrapper, devices: [{devices}]}}") + "\n".join(lines)
    config_file = examples / f"two-{apart}-{package}"
    config_file.write_text(wrapper, encoding="utf-8")
    config = configs.resolved(config_file)
    for block in (block for platform in catalog.PLATFORMS for block in config.get(platform, [])):
        used = {block[key].get("device_id") for key in set(block) - NOT_ENTITIES}
        assert used == ({f"{block['esp32evse_id']}_device"} if device else {None})
    actions = [action["action"] for action in config["api"].get("actions", [])]
    assert len(set(actions)) == len(actions)


@pytest.mark.parametrize("board", ["esp32", "esp32-c3", "esp32-s3"])
def test_factory_firmware_has_no_secret_and_every_way_to_set_it_up(examples, board):
    """Improv, the hotspot and adoption work, and there is no secret in it."""
    factory = examples / "factory"
    settings = {"components": str(configs.ROOT / "components"), "repository": "owner/repo"}
    config = configs.resolved(factory / f"{board}.yaml", settings)
    assert {"improv_serial", "captive_portal"} <= set(config)
    assert "esp32_improv" in config or "improv_ble" in config
    assert (
        config["dashboard_import"]["package_import_url"]
        == f"github://owner/repo/example_configs/factory/{board}.yaml@main"
    )
    assert config["esphome"]["name_add_mac_suffix"] is True
    assert config["esphome"]["project"]["name"] == "esp32evse.companion"
    assert "networks" not in config["wifi"]
    texts = (factory / f"{board}.yaml").read_text() + (factory / "common.yaml").read_text()
    assert "!secret" not in texts


def test_actions_can_be_customised(examples):
    names = ("secured-node.yaml", "evse-link.yaml", "evse-actions.yaml")
    wrapper = WRAPPER + "".join(f"  p{index}: !include packages/{name}\n" for index, name in enumerate(names))
    wrapper += "api:\n  actions: [{id: !remove evse_pause}, {id: !extend evse_resume, action: go_on}]\n"
    wrapper += "esp32evse: [{id: !extend evse, on_session_start: !remove }]\n"
    config_file = examples / "customised-actions.yaml"
    config_file.write_text(wrapper, encoding="utf-8")
    config = configs.resolved(config_file)
    assert [action["action"] for action in config["api"]["actions"]] == [
        "authorize", "go_on", "set_charging_current", "set_session_limits"
    ]  # fmt: skip
    assert {"on_session_start", "on_session_end"} & set(config["esp32evse"][0]) == {"on_session_end"}


def test_the_customised_example_changes_what_it_says(resolved):
    config = resolved("customised.yaml")
    (current,) = (block["charging_current"] for block in config["number"] if "charging_current" in block)
    assert (current["min_value"], current["max_value"]) == (6, 16)
    assert config["esp32evse"][0]["keep_settings"] is True
    assert not {("number", "under_power_limit"), ("event", "session")} & set(entities(config))
    assert ("number", "consumption_limit") in entities(config)


@pytest.mark.parametrize("name", ["full.yaml", "host.yaml"])
def test_full_example_has_every_entity_once(resolved, name):
    assert sorted(entities(resolved(name))) == sorted(catalog.ENTITY)


def test_full_example_shows_every_option():
    shown = configs.load(source("full.yaml"))["esp32evse"]
    assert set(shown) == {option.key for option in catalog.OPTIONS}


@pytest.mark.parametrize("package", sorted(set(configs.PACKAGES) - {"secured-node.yaml"} - INTERNAL))
def test_packages_use_the_names_of_the_catalog(package):
    for platform, blocks in configs.load(source(f"packages/{package}")).items():
        for block in blocks if platform in catalog.PLATFORMS else ():
            for key in set(block) - NOT_ENTITIES:
                assert block[key]["name"] == "${prefix}" + catalog.ENTITY[platform, key].name
                assert block[key]["device_id"] in ("${device}", "${meter_device or device}")


@pytest.mark.parametrize("package", sorted(INTERNAL & set(configs.PACKAGES)))
def test_packages_of_other_systems_add_nothing_to_home_assistants_entities(package):
    for platform, blocks in configs.load(source(f"packages/{package}")).items():
        for block in blocks if platform in catalog.PLATFORMS else ():
            assert all("name" not in block[key] for key in set(block) - NOT_ENTITIES)


@pytest.mark.parametrize("name", configs.NAMES)
def test_no_example_is_open_to_its_network(resolved, name):
    config = resolved(name)
    secrets = configs.load(source("secrets.example.yaml"))
    assert "web_server" not in config
    assert config["api"]["encryption"]["key"] == secrets["api_encryption_key"]
    if name in ON_A_COMPUTER:
        assert "host" in config and "wifi" not in config and "ota" not in config
        return
    (update,) = (way for way in config["ota"] if way["platform"] == "esphome")
    assert update.get("password") == secrets["ota_password"] or (
        update["encryption"]["key"] == secrets["api_encryption_key"]
    )
    if "ap" in config["wifi"]:
        assert config["wifi"]["ap"]["password"] == secrets["fallback_hotspot_password"]
    else:
        assert "captive_portal" not in config


def test_no_secret_stands_in_an_example():
    """Keys and passwords come from secrets.yaml, which git ignores; the example of it has just those that are used."""
    paths = [configs.EXAMPLES / name for name in configs.NAMES] + sorted((configs.EXAMPLES / "packages").glob("*.yaml"))
    texts = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    named = re.findall(r"^ *-? *(ssid|password|key): (.*)$", texts, re.MULTILINE)
    assert len(named) > 4
    assert [value for _, value in named if not value.startswith(("!secret ", "${"))] == []  # a variable: see below
    variables = re.findall(r"^ *\w+_password: (.*)$", texts, re.MULTILINE)
    assert [value for value in variables if not value.startswith("!secret ") and value != '""'] == []
    secrets = configs.load(source("secrets.example.yaml"))
    assert set(secrets) == set(re.findall(r"!secret (\w+)", texts))
    ignored = (configs.ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "secrets.yaml" in ignored, "wherever it lies"


def test_there_is_an_example_for_every_board(resolved):
    variants = {resolved(name)["esp32"]["variant"] for name in configs.NAMES if name not in ON_A_COMPUTER}
    assert variants == {"ESP32", "ESP32S3", "ESP32C3"}


def test_two_chargers_are_two_hubs_with_the_same_entities(resolved):
    config = resolved("two_chargers.yaml")
    hubs = {hub["id"]: hub["uart_id"] for hub in config["esp32evse"]}
    assert hubs == {"left": "left_uart", "right": "right_uart"}
    blocks = [block for platform in catalog.PLATFORMS for block in config.get(platform, [])]
    left, right = ([set(block) for block in blocks if block.get("esp32evse_id") == hub] for hub in hubs)
    assert left == right != []


def test_sub_devices_are_used(resolved):
    config = resolved("sub_devices.yaml")
    used = {
        block[key]["device_id"]
        for platform in catalog.PLATFORMS
        for block in config.get(platform, [])
        for key in block
        if key not in NOT_ENTITIES
    }
    assert used == {device["id"] for device in config["esphome"]["devices"]}


# The names of the community component, in use since 2025: they never change.
LEGACY = {
    "sensor": "emeter_power emeter_session_time emeter_charging_time uptime energy_consumption "
    "total_energy_consumption voltage_l1 voltage_l2 voltage_l3 current_l1 current_l2 current_l3 temperature "
    "temperature_high temperature_low wifi_rssi heap_used heap_total",
    "binary_sensor": "pending_authorization charging_limit_reached wifi_connected pilot_fault diode_short_fault "
    "lock_fault unlock_fault rcm_triggered_fault rcm_self_test_fault temperature_high_fault temperature_sensor_fault "
    "timeout_fault",
    "text_sensor": "state device_name device_time wifi_sta_ssid wifi_sta_ip wifi_sta_mac chip build_time version "
    "idf_version",
    "switch": "enable available request_authorization three_phase_meter",
    "button": "authorize restart start_ap",
    "number": "charging_current default_charging_current maximum_charging_current consumption_limit "
    "default_consumption_limit charging_time_limit default_charging_time_limit under_power_limit "
    "default_under_power_limit",
}
LEGACY_SUBSCRIBE = (
    "state chip version idf_version build_time device_time wifi_sta_ssid wifi_sta_ip wifi_sta_mac device_name enable "
    "available request_authorization three_phase_meter temperature emeter_power emeter_session_time "
    "emeter_charging_time uptime heap energy_consumption total_energy_consumption voltage current wifi_rssi "
    "wifi_connected pending_authorization charging_limit_reached error charging_current default_charging_current "
    "maximum_charging_current consumption_limit default_consumption_limit charging_time_limit "
    "default_charging_time_limit under_power_limit default_under_power_limit"
)


def test_legacy_example_uses_the_whole_earlier_vocabulary(resolved):
    used = entities(resolved("legacy.yaml"))
    assert sorted(used) == sorted((platform, key) for platform, keys in LEGACY.items() for key in keys.split())
    subscribed = set(re.findall(r"esp32evse\.(\w+)\.subscribe", source("legacy.yaml")))
    assert subscribed == set(LEGACY_SUBSCRIBE.split())
    assert {"unsubscribe_all", "force_update"} == set(re.findall(r"- esp32evse\.(\w+):", source("legacy.yaml")))
