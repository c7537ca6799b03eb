"""From a dashboard as data to the JSON that Grafana reads, by Grafana's own SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import logs, loki, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.links import TAG, data_link, panel_link
from dashboards.model import WIDTH, Ask, Board, Kind, Panel, Query, Source, Variable
from dashboards.variables import ALL

Builder = timeseries.Panel | stat.Panel | table.Panel | statetimeline.Panel | logs.Panel
Target = prometheus.Dataquery | loki.Dataquery
LINES = 200
"""Lines of log that a panel shows."""


def text(board: Board) -> str:
    """The dashboard's file; the same for the same dashboard."""
    return json.dumps(render(board), cls=JSONEncoder, sort_keys=True, indent=1) + "\n"


def render(board: Board) -> dashboard.Dashboard:
    """The dashboard as an object of the SDK."""
    built = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .refresh("1m")
        .time(board.span, "now")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(_all_dashboards())
        .variables([_source(source) for source in board.sources()])
    )
    for variable in board.variables:
        built.with_variable(_variable(variable))
    for part in _parts(board):
        if isinstance(part, builders.Row):
            built.with_row(part)
        else:
            built.with_panel(part)
    return built.build()


def _parts(board: Board) -> Iterator[Builder | builders.Row]:
    """Rows and panels with their numbers and places: from left to right, then below the tallest one."""
    number, top = 0, 0
    for row in board.rows:
        number += 1
        yield (builders.Row(row.title).id(number).grid_pos(dashboard.GridPos(x=0, y=top, w=WIDTH, h=1)))
        top += 1
        left, tallest = 0, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                left, top, tallest = 0, top + tallest, 0
            number += 1
            place = dashboard.GridPos(x=left, y=top, w=panel.width, h=panel.height)
            yield _panel(panel).id(number).grid_pos(place)
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(panel: Panel) -> Builder:
    source = panel.queries[0].source
    built: Builder = KINDS[panel.kind](panel)
    built.title(panel.title).description(_description(panel)).unit(panel.unit)
    built.datasource(_reference(source))
    built.targets([_target(query, panel, index) for index, query in enumerate(panel.queries)])
    _add_links(built, panel)
    if panel.empty:
        built.no_value(panel.empty)
    if panel.steps:
        steps = [dashboard.Threshold(value=step.value, color=step.color) for step in panel.steps]
        built.thresholds(builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.words:
        built.mappings([_mapping(panel)])
    if panel.repeat:
        built.repeat(panel.repeat).repeat_direction("h")
    return built


def _add_links(built: Builder, panel: Panel) -> None:
    on_panel: list[cog.Builder[dashboard.DashboardLink]]
    on_data: list[cog.Builder[dashboard.DashboardLink]]
    on_panel = [panel_link(link) for link in panel.links if not link.labels]
    on_data = [data_link(link) for link in panel.links if link.labels]
    if on_panel:
        built.links(on_panel)
    if on_data:
        built.data_links(on_data)


def _description(panel: Panel) -> str:
    return f"{panel.description}\n\nMay be empty: {panel.empty}." if panel.empty else panel.description


def _mapping(panel: Panel) -> dashboard.ValueMap:
    return dashboard.ValueMap(
        options={
            str(word.value): dashboard.ValueMappingResult(text=word.text, color=word.color, index=index)
            for index, word in enumerate(panel.words)
        }
    )


def _series(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .show_points(common.VisibilityMode.NEVER)
        .fill_opacity(10)
    )
    if panel.least is not None:
        built.axis_soft_min(panel.least)
    if panel.most is not None:
        built.max(panel.most)
    if panel.steps:
        style = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        built.thresholds_style(style)
    return built


def _stacked(panel: Panel) -> timeseries.Panel:
    stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return _series(panel).stacking(stacking).fill_opacity(60)


def _stat(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(
            common.BigValueTextMode.VALUE_AND_NAME
            if any(query.legend for query in panel.queries)
            else common.BigValueTextMode.VALUE
        )
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _table(panel: Panel) -> table.Panel:
    hide = dashboard.DataTransformerConfig(
        id_val="organize", options={"excludeByName": {name: True for name in panel.hidden}}
    )
    return table.Panel().show_header(True).filterable(True).with_transformation(hide)


def _states(_panel: Panel) -> statetimeline.Panel:
    return (
        statetimeline.Panel()
        .merge_values(True)
        .line_width(0)
        .fill_opacity(70)
        .show_value(common.VisibilityMode.AUTO)
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    )


def _logs(_panel: Panel) -> logs.Panel:
    return (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
    )


KINDS: dict[Kind, Callable[[Panel], Builder]] = {
    Kind.SERIES: _series,
    Kind.STACKED: _stacked,
    Kind.STAT: _stat,
    Kind.TABLE: _table,
    Kind.STATES: _states,
    Kind.LOGS: _logs,
}


def _target(query: Query, panel: Panel, index: int) -> Target:
    name = chr(ord("A") + index)
    if query.source is Source.LOKI:
        asked = loki.Dataquery().expr(query.expr).ref_id(name).legend_format(query.legend)
        asked.query_type("instant" if panel.kind.now else "range")
        return asked.max_lines(LINES) if panel.kind is Kind.LOGS else asked
    metric = prometheus.Dataquery().expr(query.expr).ref_id(name).legend_format(query.legend)
    if panel.kind is Kind.TABLE:
        metric.format(PromQueryFormat.TABLE)
    return metric.instant() if panel.kind.now else metric.range()


def _reference(source: Source) -> dashboard.DataSourceRef:
    return dashboard.DataSourceRef(type_val=source, uid=f"${{{source}}}")


def _source(source: Source) -> builders.DatasourceVariable:
    return builders.DatasourceVariable(source).label(source.capitalize()).type(source)


def _variable(
    variable: Variable,
) -> builders.QueryVariable | builders.CustomVariable | builders.TextBoxVariable:
    if variable.ask is Ask.TEXT:
        return builders.TextBoxVariable(variable.name).label(variable.label).default_value("")
    everything = dashboard.VariableOption(text="All", value="$__all", selected=True)
    if variable.ask is Ask.CHOICE:
        return (
            builders.CustomVariable(variable.name)
            .label(variable.label)
            .values(",".join(variable.choices))
            .multi(True)
            .include_all(True)
            .all_value(ALL)
            .current(everything)
        )
    return (
        builders.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(_reference(variable.source))
        .query(_values(variable))
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(everything)
    )


def _values(variable: Variable) -> dict[str, object]:
    """The query of a variable in its data source's own form."""
    if variable.source is Source.LOKI:
        return {"type": 1, "label": variable.value_of, "stream": variable.expr, "refId": variable.name}
    return {"query": f"label_values({variable.expr}, {variable.value_of})", "refId": variable.name}


def _all_dashboards() -> builders.DashboardLink:
    return (
        builders.DashboardLink("Dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
