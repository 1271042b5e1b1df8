"""What svcctl knows of the core's own tables beside their schema."""

from __future__ import annotations

from ..services.api.commands import TableWords

CORE_TABLES = {
    words.name: words
    for words in (
        TableWords(
            "SVC_Global",
            "root row",
            secrets="seal_seed",
            statuses="nb_cfg_timestamp sb_cfg sb_cfg_timestamp hv_cfg hv_cfg_timestamp content_cfg",
        ),
        TableWords("Container_Group", "group"),
        TableWords("Chassis_Group", "chassis group"),
        TableWords("Port_Group", "port group"),
        TableWords("Chassis", "chassis"),
        TableWords(
            "Service_Container",
            "container",
            secrets="secret",
            advice="use container-set --secret=KEY=FILE",
            statuses="status_code status_message chassis namespace_name interface_name since"
            " standby ports serves",
        ),
        TableWords(
            "Container_Wish",
            "wish for a container",
            statuses="migrated_cfg migrate_status",
        ),
        TableWords(
            "Event",
            "event",
            statuses="number table row name state message chassis from_chassis since time count",
        ),
        TableWords("Connection", "connection of the database"),
        TableWords("SSL", "TLS configuration"),
    )
}
