// Grafana's published types, as files of dashboards have to satisfy them.
import type { Dashboard, VariableModel } from '@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen';
import type { LokiDataQuery } from '@grafana/schema/dist/esm/raw/composable/loki/dataquery/x/LokiDataQuery_types.gen';
import type * as logs from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as states from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as series from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// A file has words where the types have enumerations.
type File<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : { [K in keyof T]: File<T[K]> };

// Of variables of kind "interval", which the SDK writes for all kinds.
type Variable = VariableModel & { auto?: boolean; auto_min?: string; auto_count?: number };

export type Board = File<Omit<Dashboard, 'templating'> & { templating: { list: Variable[] } }>;
export type Loki = Partial<File<LokiDataQuery>>;
export type Options = {
  timeseries: Partial<File<series.Options>>;
  stat: Partial<File<stat.Options>>;
  table: Partial<File<table.Options>>;
  'state-timeline': Partial<File<states.Options>>;
  logs: Partial<File<logs.Options>>;
};
export type Custom = {
  timeseries: Partial<File<series.FieldConfig>>;
  stat: Record<string, never>;
  table: Partial<File<table.FieldConfig>>;
  'state-timeline': Partial<File<states.FieldConfig>>;
  logs: Record<string, never>;
};
