// What `GET /metrics` tells.

export const METRICS = [
  "leasewire_build_info",
  "leasewire_deliveries_total",
  "leasewire_events_total",
  "leasewire_integrations",
  "leasewire_events_pending",
  "leasewire_events_unconfirmed",
  "leasewire_events_dead",
  "leasewire_events_quarantined",
  "leasewire_oldest_unconfirmed_seconds",
  "leasewire_confirmation_seconds",
  "leasewire_integration_events",
  "leasewire_integration_oldest_unconfirmed_seconds",
];
