// What a dashboard of ours may be: Grafana's own types, made strict where they say `any`.
//
// A panel's `options` and `fieldConfig.defaults.custom` are those of its type, and its questions those of a data source that
// we have; whatever the types do not know is an error. What Grafana fills in by itself may be left out.
import type * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import type * as common from '@grafana/grafana-foundation-sdk/common';
import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import type * as logs from '@grafana/grafana-foundation-sdk/logs';
import type * as loki from '@grafana/grafana-foundation-sdk/loki';
import type * as nodegraph from '@grafana/grafana-foundation-sdk/nodegraph';
import type * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import type * as table from '@grafana/grafana-foundation-sdk/table';
import type * as text from '@grafana/grafana-foundation-sdk/text';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

/** As it stands in JSON: an enum of words is its words, and methods are not there. */
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T as T[Key] extends Function ? never : Key]: Json<T[Key]> }
      : T;

type Partly<T> = T extends (infer Item)[]
  ? Partly<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Partly<T[Key]> }
    : T;

type Without<T, Key extends keyof T> = { [Kept in keyof T as Kept extends Key ? never : Kept]: T[Kept] };

/** The SDK has no type for what is asked of Jaeger: https://grafana.com/docs/grafana/latest/datasources/jaeger/ */
interface JaegerQuery {
  datasource: { type: 'jaeger'; uid: string };
  queryType: 'search';
  service: string;
  operation: string;
  minDuration: string;
  limit: number;
  refId: string;
}

interface JaegerGraph {
  datasource: { type: 'jaeger'; uid: string };
  queryType: 'dependencyGraph';
  refId: string;
}

type Of<Query, Type extends string> = Without<Json<Query>, 'datasource' & keyof Json<Query>> & {
  datasource: { type: Type; uid: string };
};

type Query = Of<prometheus.Dataquery, 'prometheus'> | Of<loki.dataquery, 'loki'> | JaegerQuery | JaegerGraph;

type FieldConfig<Custom> = Json<Without<dashboard.FieldConfigSource, 'defaults'>> & {
  defaults: Json<Without<dashboard.FieldConfig, 'custom' | 'links'>> & {
    custom?: Partly<Json<Custom>>;
    links?: Partly<Json<dashboard.DashboardLink>>[];
  };
};

type Panel<Type extends string, Options, Custom> = Json<
  Without<dashboard.Panel, 'type' | 'targets' | 'options' | 'fieldConfig' | 'links'>
> & {
  type: Type;
  targets?: Query[];
  links?: Partly<Json<dashboard.DashboardLink>>[];
  options?: Partly<Json<Options>>;
  fieldConfig?: FieldConfig<Custom>;
};

/** Nothing may stand there. */
type None = Record<string, never>;

type Panels =
  | Panel<'bargauge', bargauge.Options, None>
  | Panel<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | Panel<'logs', logs.Options, None>
  | Panel<'nodeGraph', nodegraph.Options, None>
  | Panel<'stat', stat.Options, None>
  | Panel<'state-timeline', statetimeline.Options, statetimeline.FieldConfig>
  | Panel<'table', table.Options, common.TableFieldOptions>
  | Panel<'text', text.Options, None>
  | Panel<'timeseries', timeseries.Options, timeseries.FieldConfig>;

type Row = Json<Without<dashboard.RowPanel, 'panels'>> & { panels: Panels[] };

/** An annotation that asks Prometheus has what that data source reads beside what all have. */
type Annotation = Json<dashboard.AnnotationQuery>;

/** A dashboard, as Grafana reads it from a file. */
export type Dashboard = Json<Without<dashboard.Dashboard, 'panels' | 'annotations'>> & {
  panels: (Panels | Row)[];
  annotations: { list: Annotation[] };
};
