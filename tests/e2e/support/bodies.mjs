// Webhook bodies, as the providers' guides show them.

/** A change to a record, in Propexo's short envelope, which is Propify's too. */
export const diff = (integration, record, previous, next, object = "leases") =>
  JSON.stringify({
    meta: { object, integration_id: integration },
    record_id: record,
    diff: { previous, new: next },
  });

/** A whole unit of MeterBase's, as it was at `timestamp`. */
export const unit = (connection, data, timestamp = new Date().toISOString(), event = "data.update", changes = {}) =>
  JSON.stringify({ event, timestamp, connection_id: connection, resource_type: "unit", data, changes });

/** A real-estate platform's event `id` about a whole property, as it was at `created`. */
export const property = (id, data, created = new Date().toISOString(), type = "property.updated") =>
  JSON.stringify({ id, type, created, data: { property: data } });
