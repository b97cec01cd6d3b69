/* How a service of a VM's dev container reads in the *Machines* tree and in pickers, and what of it shows on its VM's row. */
import { l10n } from "vscode";
import type { Service } from "../../protocol/containers.ts";
import {
  amissBeside,
  isAmiss,
  titleOfService,
} from "../../protocol/serviceHealth.ts";
import { code, escaped, type Fact, factTable } from "./markdown.ts";
import type { Row } from "./rows.ts";

const warning = { icon: "warning", color: "list.warningForeground" };

export function serviceRow(service: Service): Row {
  const parts = [
    ...conditionTexts(service),
    ...(service.devContainer ? [l10n.t("dev container")] : []),
    service.image,
  ];
  const title = titleOfService(service);
  return {
    label: title,
    description: parts.join(" · "),
    ...lookOf(service),
    context: `service.${service.state}`,
    spoken: [l10n.t("service {0}", title), ...parts].join(", "),
  };
}

function lookOf(service: Service): Pick<Row, "icon" | "color"> {
  if (isAmiss(service)) return warning;
  switch (service.state) {
    case "running":
      return service.health === "starting"
        ? { icon: "circle-filled", color: "charts.yellow" }
        : { icon: "circle-filled", color: "charts.green" };
    case "paused":
      return { icon: "debug-pause", color: "charts.yellow" };
    default:
      return { icon: "circle-outline" };
  }
}

/** Its state and its health. */
function conditionTexts({ state, exitCode, health }: Service): string[] {
  switch (state) {
    case "running":
      return [l10n.t("running"), ...healthTexts(health)];
    case "exited":
      return [l10n.t("exited ({0})", exitCode ?? "?")];
    case "restarting":
      return [l10n.t("restarting ({0})", exitCode ?? "?")];
    case "created":
      return [l10n.t("never started")];
    case "paused":
      return [l10n.t("paused")];
    case "removing":
      return [l10n.t("being deleted")];
    case "dead":
      return [l10n.t("dead")];
  }
}

function healthTexts(health: Service["health"]): string[] {
  switch (health) {
    case "healthy":
      return [l10n.t("healthy")];
    case "unhealthy":
      return [l10n.t("unhealthy")];
    case "starting":
      return [l10n.t("not healthy yet")];
    case undefined:
      return [];
  }
}

/** A VM's row, which warns of services that aren't well beside its dev container. */
export function withServices(row: Row, services: readonly Service[]): Row {
  const texts = amissBeside(services).map(
    (service) =>
      `${titleOfService(service)}: ${conditionTexts(service).join(", ")}`,
  );
  if (texts.length === 0) return row;
  return {
    ...row,
    ...warning,
    description: [row.description, ...texts].join(" · "),
    spoken: [row.spoken, ...texts].join(", "),
  };
}

/** The long form of a row, as Markdown. */
export function serviceTooltip(service: Service): string {
  const facts: Fact[] = [
    [l10n.t("State"), escaped(conditionTexts(service).join(", "))],
    [l10n.t("Image"), code(service.image)],
    [l10n.t("Container"), code(service.name)],
    [l10n.t("Id"), code(service.id.slice(0, 12))],
  ];
  return [`**${escaped(titleOfService(service))}**`, factTable(facts)].join(
    "\n\n",
  );
}
