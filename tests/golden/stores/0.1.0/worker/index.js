import{DurableObject as Fe}from"cloudflare:workers";var H=`{
  "openapi": "3.1.0",
  "info": {
    "title": "Leasewire",
    "version": "0.1.0",
    "summary": "Property-management webhooks in, ordered and trustworthy records out.",
    "description": "One endpoint for the webhooks of several providers, and an API on what became of them.\\n\\nIds in paths are percent-encoded. Lists take \`after\` and \`limit\`, and give \`next\`: the \`after\` of the next page, or null. Every refusal is a problem document (RFC 9457). Times are RFC 3339 in UTC.",
    "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
  },
  "servers": [{ "url": "/" }],
  "security": [{ "token": [] }],
  "tags": [
    { "name": "Webhooks", "description": "For providers." },
    { "name": "Integrations", "description": "What came in, and what became of it." },
    { "name": "Trying again", "description": "What went wrong, and how to run it again." },
    { "name": "Sources", "description": "Who may send." },
    { "name": "Gateway", "description": "The gateway itself." }
  ],
  "paths": {
    "/webhooks/{source}": {
      "parameters": [{ "$ref": "#/components/parameters/source" }],
      "post": {
        "tags": ["Webhooks"],
        "operationId": "takeWebhook",
        "summary": "Take a webhook",
        "description": "The raw body is signed with HMAC-SHA256, in hexadecimal digits, in the header of the source's dialect. What is signed but not understood is kept, in quarantine, and answered with 200.",
        "security": [
          { "propexo": [] },
          { "propify": [] },
          { "meterbase": [] },
          { "realEstate": [], "realEstateTime": [] }
        ],
        "requestBody": {
          "description": "As the provider writes it, at most 1 MiB. The content type isn't looked at.",
          "required": false,
          "content": {
            "application/json": {
              "schema": {},
              "examples": {
                "propexo": {
                  "value": {
                    "meta": { "object": "leases", "integration_id": "int_1" },
                    "record_id": "lease_9",
                    "diff": { "previous": { "status": "pending" }, "new": { "status": "approved" } }
                  }
                },
                "meterbase": {
                  "value": {
                    "event": "data.update",
                    "timestamp": "2026-03-25T15:00:02Z",
                    "connection_id": "conn_1",
                    "resource_type": "unit",
                    "data": { "id": "unit_1", "status": "occupied" },
                    "changes": {}
                  }
                },
                "real-estate": {
                  "value": {
                    "id": "evt_1",
                    "type": "property.updated",
                    "created": "2026-03-25T15:00:02Z",
                    "data": { "property": { "id": "prop_1", "price": 750000.0 } }
                  }
                }
              }
            }
          }
        },
        "responses": {
          "200": {
            "description": "It is kept, or was a test ping. Sent again, it has no effect.",
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/Taken" },
                "example": { "status": "accepted", "seq": 17 }
              }
            }
          },
          "401": { "$ref": "#/components/responses/BadSignature" },
          "404": { "$ref": "#/components/responses/UnknownSource" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "413": { "$ref": "#/components/responses/TooLarge" },
          "503": { "$ref": "#/components/responses/NotKept" }
        }
      }
    },
    "/v1/integrations": {
      "get": {
        "tags": ["Integrations"],
        "operationId": "listIntegrations",
        "summary": "List all integrations",
        "parameters": [
          { "$ref": "#/components/parameters/afterIntegration" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "Every integration with its last number and sync times.",
            "content": {
              "application/json": { "schema": { "$ref": "#/components/schemas/IntegrationPage" } }
            },
            "links": {
              "integration": {
                "operationId": "getIntegration",
                "description": "The first one's state.",
                "parameters": {
                  "source": "$response.body#/integrations/0/source",
                  "integration": "$response.body#/integrations/0/integration"
                }
              }
            }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/DatabaseUnavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "getIntegration",
        "summary": "See how an integration is",
        "responses": {
          "200": {
            "description": "Its ledger's own state.",
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/State" },
                "example": {
                  "source": "propexo",
                  "integration": "int_1",
                  "last_seq": 17,
                  "confirmed_seq": 17,
                  "pending": 0,
                  "unconfirmed": 0,
                  "dead": 0,
                  "quarantined": 1,
                  "oldest_unconfirmed_at": null,
                  "first_synced_at": null,
                  "last_synced_at": null,
                  "last_event_at": "2026-03-25T15:00:02Z"
                }
              }
            }
          },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/records/{model}": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" },
        { "$ref": "#/components/parameters/model" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "listRecords",
        "summary": "List records of a model",
        "parameters": [
          { "$ref": "#/components/parameters/afterText" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "Records as D1 has them, in the order of their ids.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/RecordPage" } } },
            "links": {
              "record": {
                "operationId": "getRecord",
                "description": "The first one.",
                "parameters": {
                  "source": "$request.path.source",
                  "integration": "$request.path.integration",
                  "model": "$request.path.model",
                  "record_id": "$response.body#/records/0/record_id"
                }
              }
            }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/DatabaseUnavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/records/{model}/{record_id}": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" },
        { "$ref": "#/components/parameters/model" },
        { "$ref": "#/components/parameters/record_id" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "getRecord",
        "summary": "Get a record",
        "responses": {
          "200": {
            "description": "The record.",
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/Record" },
                "example": {
                  "source": "propexo",
                  "integration": "int_1",
                  "model": "leases",
                  "record_id": "lease_9",
                  "version": 2,
                  "fields": { "status": "approved", "rent_in_cents": 210000 },
                  "partial": true,
                  "drift": false,
                  "occurred_at": "2026-03-25T15:00:02Z",
                  "updated_at": "2026-03-25T15:00:03.511Z"
                }
              }
            }
          },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/DatabaseUnavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/events": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "listEvents",
        "summary": "Read the history",
        "parameters": [
          { "$ref": "#/components/parameters/afterSeq" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "Every delivery that is kept, in the order of arrival.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/EntryPage" } } },
            "links": {
              "event": {
                "operationId": "getEvent",
                "description": "The first one with its body.",
                "parameters": {
                  "source": "$request.path.source",
                  "integration": "$request.path.integration",
                  "seq": "$response.body#/events/0/seq"
                }
              }
            }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/events/{seq}": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" },
        { "$ref": "#/components/parameters/seq" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "getEvent",
        "summary": "Get an event with its raw body",
        "responses": {
          "200": {
            "description": "The event.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Event" } } }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/unlinked": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "listUnlinked",
        "summary": "List properties that aren't linked",
        "parameters": [
          { "$ref": "#/components/parameters/afterText" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "Those that the source's filter \`properties\` doesn't list, each with its first ignored event.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/PropertyPage" } } }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/notices": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "get": {
        "tags": ["Integrations"],
        "operationId": "listNotices",
        "summary": "List occupancy notices",
        "parameters": [
          { "$ref": "#/components/parameters/afterNotice" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "When units were occupied and vacated, in the order of the events that revealed it.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/NoticePage" } } }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/DatabaseUnavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/quarantine": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "get": {
        "tags": ["Trying again"],
        "operationId": "listQuarantine",
        "summary": "List quarantined events",
        "parameters": [
          { "$ref": "#/components/parameters/afterSeq" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "Each with its reason.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/EntryPage" } } },
            "links": {
              "event": {
                "operationId": "getEvent",
                "description": "The first one with its body.",
                "parameters": {
                  "source": "$request.path.source",
                  "integration": "$request.path.integration",
                  "seq": "$response.body#/events/0/seq"
                }
              }
            }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/dead": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "get": {
        "tags": ["Trying again"],
        "operationId": "listDead",
        "summary": "List dead packs",
        "parameters": [
          { "$ref": "#/components/parameters/afterSeq" },
          { "$ref": "#/components/parameters/limit" }
        ],
        "responses": {
          "200": {
            "description": "Those that the consumer failed to apply on every attempt.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/PackPage" } } }
          },
          "400": { "$ref": "#/components/responses/BadParameter" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/replay": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "post": {
        "tags": ["Trying again"],
        "operationId": "replay",
        "summary": "Read kept bodies again",
        "description": "With today's code and filters; the results are forwarded under their own numbers. Worked off behind the answer.",
        "requestBody": {
          "description": "At most 64 KiB.",
          "required": true,
          "content": {
            "application/json": {
              "schema": { "$ref": "#/components/schemas/ReplayRequest" },
              "example": { "from": 1, "to": 500, "models": ["leases"], "events": ["DATA_*"] }
            }
          }
        },
        "responses": {
          "202": {
            "description": "How much there is to do. The same request again, while it goes on, is the same replay.",
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/Progress" },
                "example": {
                  "replay": 1,
                  "from": 1,
                  "to": 500,
                  "count": 500,
                  "done": 0,
                  "asked_at": "2026-03-25T15:00:02Z",
                  "ended_at": null
                }
              }
            },
            "links": {
              "integration": {
                "operationId": "getIntegration",
                "description": "Its progress is in the integration's state.",
                "parameters": { "source": "$request.path.source", "integration": "$request.path.integration" }
              }
            }
          },
          "400": { "$ref": "#/components/responses/BadRequest" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "413": { "$ref": "#/components/responses/TooLarge" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/integrations/{source}/{integration}/redrive": {
      "parameters": [
        { "$ref": "#/components/parameters/source" },
        { "$ref": "#/components/parameters/integration" }
      ],
      "post": {
        "tags": ["Trying again"],
        "operationId": "redrive",
        "summary": "Send dead packs again",
        "description": "All of them, or those with events of a range.",
        "requestBody": {
          "description": "At most 64 KiB.",
          "required": false,
          "content": {
            "application/json": {
              "schema": { "$ref": "#/components/schemas/RedriveRequest" },
              "example": { "from": 1, "to": 500 }
            }
          }
        },
        "responses": {
          "202": {
            "description": "How many are sent again.",
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/Redriven" },
                "example": { "packs": 1, "events": 20 }
              }
            }
          },
          "400": { "$ref": "#/components/responses/BadRequest" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/NotFound" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "413": { "$ref": "#/components/responses/TooLarge" },
          "503": { "$ref": "#/components/responses/Unavailable" }
        }
      }
    },
    "/v1/sources": {
      "get": {
        "tags": ["Sources"],
        "operationId": "listSources",
        "summary": "List configured sources",
        "responses": {
          "200": {
            "description": "Each with its settings, whether its secrets are set, and when each was last used.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/SourceList" } } }
          },
          "401": { "$ref": "#/components/responses/BadToken" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/DatabaseUnavailable" }
        }
      }
    },
    "/v1/sources/{source}/test": {
      "parameters": [{ "$ref": "#/components/parameters/source" }],
      "post": {
        "tags": ["Sources"],
        "operationId": "testSource",
        "summary": "Send a test event",
        "description": "Made as the source's provider would, signed with the source's first secret, and let in by the front door. It goes to the integration \`leasewire-test\`.",
        "requestBody": {
          "description": "At most 1 MiB.",
          "required": true,
          "content": {
            "application/json": {
              "schema": { "$ref": "#/components/schemas/TestRequest" },
              "example": { "event": "DATA_UPDATE", "payload": { "id": "lease_9", "status": "active" } }
            }
          }
        },
        "responses": {
          "200": {
            "description": "What was sent and what the gateway answered, which may be a problem of its own.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TestReport" } } }
          },
          "400": { "$ref": "#/components/responses/BadRequest" },
          "401": { "$ref": "#/components/responses/BadToken" },
          "404": { "$ref": "#/components/responses/UnknownSource" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "413": { "$ref": "#/components/responses/TooLarge" },
          "503": { "$ref": "#/components/responses/NotTested" }
        }
      }
    },
    "/metrics": {
      "get": {
        "tags": ["Gateway"],
        "operationId": "getMetrics",
        "summary": "Numbers for Prometheus",
        "responses": {
          "200": {
            "description": "In Prometheus' text format.",
            "content": { "text/plain": { "schema": { "type": "string" } } }
          },
          "401": { "$ref": "#/components/responses/BadToken" },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/DatabaseUnavailable" }
        }
      }
    },
    "/healthz": {
      "get": {
        "tags": ["Gateway"],
        "operationId": "getHealth",
        "summary": "See whether it answers",
        "security": [],
        "responses": {
          "200": {
            "description": "It does.",
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/Health" },
                "example": { "status": "ok", "version": "0.1.0" }
              }
            }
          },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unfinished" }
        }
      }
    },
    "/openapi.json": {
      "get": {
        "tags": ["Gateway"],
        "operationId": "getDescription",
        "summary": "Get this description",
        "security": [],
        "responses": {
          "200": {
            "description": "OpenAPI 3.1.",
            "content": {
              "application/json": {
                "schema": { "type": "object", "required": ["openapi", "info", "paths", "components"] }
              }
            }
          },
          "405": { "$ref": "#/components/responses/MethodNotAllowed" },
          "503": { "$ref": "#/components/responses/Unfinished" }
        }
      }
    }
  },
  "components": {
    "securitySchemes": {
      "token": { "type": "http", "scheme": "bearer", "description": "The secret API_TOKEN." },
      "propexo": {
        "type": "apiKey",
        "in": "header",
        "name": "propexo-signature",
        "description": "Dialect \`propexo\`: the digits."
      },
      "propify": {
        "type": "apiKey",
        "in": "header",
        "name": "propify-signature",
        "description": "Dialect \`propify\`: the digits."
      },
      "meterbase": {
        "type": "apiKey",
        "in": "header",
        "name": "x-propexo-signature",
        "description": "Dialect \`meterbase\`: \`sha256=\` and the digits. The body's \`timestamp\` must be recent."
      },
      "realEstate": {
        "type": "apiKey",
        "in": "header",
        "name": "x-webhook-signature",
        "description": "Dialect \`real-estate\`: the digits, over the time below and the body behind it."
      },
      "realEstateTime": {
        "type": "apiKey",
        "in": "header",
        "name": "x-webhook-timestamp",
        "description": "Unix seconds or milliseconds, or RFC 3339 in UTC; recent."
      }
    },
    "parameters": {
      "source": {
        "name": "source",
        "in": "path",
        "required": true,
        "description": "Name of a configured source.",
        "schema": { "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" },
        "example": "propexo"
      },
      "integration": {
        "name": "integration",
        "in": "path",
        "required": true,
        "description": "Id of an integration, percent-encoded.",
        "schema": { "type": "string", "minLength": 1 },
        "example": "int_1"
      },
      "model": {
        "name": "model",
        "in": "path",
        "required": true,
        "description": "In snake_case and plural.",
        "schema": { "type": "string", "minLength": 1 },
        "example": "leases"
      },
      "record_id": {
        "name": "record_id",
        "in": "path",
        "required": true,
        "description": "Id of a record, percent-encoded.",
        "schema": { "type": "string", "minLength": 1 },
        "example": "lease_9"
      },
      "seq": {
        "name": "seq",
        "in": "path",
        "required": true,
        "description": "Number of an event.",
        "schema": { "type": "integer", "minimum": 0, "maximum": 9007199254740991 },
        "example": 1
      },
      "limit": {
        "name": "limit",
        "in": "query",
        "description": "Entries on a page.",
        "schema": { "type": "integer", "minimum": 1, "maximum": 500, "default": 100 }
      },
      "afterSeq": {
        "name": "after",
        "in": "query",
        "description": "The \`next\` of the page before.",
        "schema": { "type": "integer", "minimum": 0, "maximum": 9007199254740991 }
      },
      "afterText": {
        "name": "after",
        "in": "query",
        "description": "The \`next\` of the page before.",
        "schema": { "type": "string" }
      },
      "afterIntegration": {
        "name": "after",
        "in": "query",
        "description": "The \`next\` of the page before.",
        "schema": { "type": "string", "pattern": "/" }
      },
      "afterNotice": {
        "name": "after",
        "in": "query",
        "description": "The \`next\` of the page before, or the number of an event.",
        "schema": { "type": "string", "pattern": "^[0-9]{1,15}(/|$)" }
      }
    },
    "responses": {
      "BadToken": {
        "description": "No token, or not the right one. Nothing else is told, not even whether there is such a path.",
        "headers": {
          "www-authenticate": {
            "description": "How to come in.",
            "required": true,
            "schema": { "const": "Bearer" }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": { "const": "urn:leasewire:problem:bad-token" },
                    "status": { "const": 401 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:bad-token",
              "title": "Bad token",
              "status": 401,
              "detail": "Send the API's token in the header \`authorization: Bearer <token>\`."
            }
          }
        }
      },
      "BadSignature": {
        "description": "Not signed with a secret of this source, or too long ago. One answer for every reason; the log has which.",
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": { "const": "urn:leasewire:problem:bad-signature" },
                    "status": { "const": 401 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:bad-signature",
              "title": "Bad signature",
              "status": 401,
              "detail": "The request is not signed with a secret of this source, or too long ago."
            }
          }
        }
      },
      "BadParameter": {
        "description": "A parameter can't be used. The detail names it.",
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": { "const": "urn:leasewire:problem:bad-parameter" },
                    "status": { "const": 400 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:bad-parameter",
              "title": "Bad parameter",
              "status": 400,
              "detail": "\`limit\` must be a whole number from 1 to 500."
            }
          }
        }
      },
      "BadRequest": {
        "description": "The body can't be used. The detail names the field.",
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": {
                      "enum": ["urn:leasewire:problem:bad-body", "urn:leasewire:problem:bad-parameter"]
                    },
                    "status": { "const": 400 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:bad-body",
              "title": "Bad body",
              "status": 400,
              "detail": "The body must be a JSON object."
            }
          }
        }
      },
      "UnknownSource": {
        "description": "No source of this name is configured.",
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": {
                      "enum": ["urn:leasewire:problem:unknown-source", "urn:leasewire:problem:not-found"]
                    },
                    "status": { "const": 404 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:unknown-source",
              "title": "Unknown source",
              "status": 404,
              "detail": "No source of this name is configured."
            }
          }
        }
      },
      "NotFound": {
        "description": "There is no such thing. Asking for an integration that isn't known makes none.",
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": { "const": "urn:leasewire:problem:not-found" },
                    "status": { "const": 404 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:not-found",
              "title": "Not found",
              "status": 404,
              "detail": "There is no such integration."
            }
          }
        }
      },
      "MethodNotAllowed": {
        "description": "The path has another method than this one.",
        "headers": {
          "allow": {
            "description": "The method that it has.",
            "required": true,
            "schema": { "type": "string", "enum": ["GET", "POST"] }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": { "const": "urn:leasewire:problem:method-not-allowed" },
                    "status": { "const": 405 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:method-not-allowed",
              "title": "Method not allowed",
              "status": 405,
              "detail": "This path takes GET."
            }
          }
        }
      },
      "TooLarge": {
        "description": "The body is too large.",
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": { "const": "urn:leasewire:problem:too-large" },
                    "status": { "const": 413 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:too-large",
              "title": "Body too large",
              "status": 413,
              "detail": "A body has at most 1048576 bytes."
            }
          }
        }
      },
      "Unfinished": {
        "description": "The request could not be finished. Try again.",
        "headers": {
          "retry-after": {
            "description": "Seconds to wait before the next try.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "properties": { "type": { "const": "about:blank" }, "status": { "const": 503 } } }
              ]
            }
          }
        }
      },
      "DatabaseUnavailable": {
        "description": "The database can't be reached, or the API has no token.",
        "headers": {
          "retry-after": {
            "description": "Seconds to wait before the next try.",
            "schema": { "type": "integer", "minimum": 1 }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": {
                      "enum": [
                        "urn:leasewire:problem:database-unavailable",
                        "urn:leasewire:problem:token-not-configured",
                        "about:blank"
                      ]
                    },
                    "status": { "const": 503 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:database-unavailable",
              "title": "Database unavailable",
              "status": 503,
              "detail": "The records can't be read now. Try again."
            }
          }
        }
      },
      "Unavailable": {
        "description": "The integration's ledger or the database can't be reached, or the API has no token.",
        "headers": {
          "retry-after": {
            "description": "Seconds to wait before the next try.",
            "schema": { "type": "integer", "minimum": 1 }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": {
                      "enum": [
                        "urn:leasewire:problem:ledger-unavailable",
                        "urn:leasewire:problem:database-unavailable",
                        "urn:leasewire:problem:token-not-configured",
                        "about:blank"
                      ]
                    },
                    "status": { "const": 503 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:ledger-unavailable",
              "title": "Ledger unavailable",
              "status": 503,
              "detail": "The ledger can't be reached now. Send it again; a repetition has no effect."
            }
          }
        }
      },
      "NotKept": {
        "description": "The event was not kept, and is to be sent again: its ledger can't be reached in 4 s, or the source isn't fully configured.",
        "headers": {
          "retry-after": {
            "description": "Seconds to wait before the next try.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": {
                      "enum": [
                        "urn:leasewire:problem:ledger-unavailable",
                        "urn:leasewire:problem:source-not-ready",
                        "about:blank"
                      ]
                    },
                    "status": { "const": 503 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:ledger-unavailable",
              "title": "Ledger unavailable",
              "status": 503,
              "detail": "The ledger can't be reached now. Send it again; a repetition has no effect."
            }
          }
        }
      },
      "NotTested": {
        "description": "The source can't be used, and the detail says why; or the API has no token.",
        "headers": {
          "retry-after": {
            "description": "Seconds to wait before the next try.",
            "schema": { "type": "integer", "minimum": 1 }
          }
        },
        "content": {
          "application/problem+json": {
            "schema": {
              "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                {
                  "properties": {
                    "type": {
                      "enum": [
                        "urn:leasewire:problem:source-not-ready",
                        "urn:leasewire:problem:ledger-unavailable",
                        "urn:leasewire:problem:token-not-configured",
                        "about:blank"
                      ]
                    },
                    "status": { "const": 503 }
                  }
                }
              ]
            },
            "example": {
              "type": "urn:leasewire:problem:source-not-ready",
              "title": "Source not ready",
              "status": 503,
              "detail": "source \`propexo\`: the secret PROPEXO_SECRET is missing or empty; set it with \`wrangler secret put PROPEXO_SECRET\`, locally in .dev.vars."
            }
          }
        }
      }
    },
    "schemas": {
      "Problem": {
        "type": "object",
        "description": "A problem document (RFC 9457).",
        "additionalProperties": false,
        "required": ["type", "title", "status", "detail"],
        "properties": {
          "type": {
            "type": "string",
            "description": "Stable; tells what is wrong.",
            "enum": [
              "urn:leasewire:problem:bad-parameter",
              "urn:leasewire:problem:bad-body",
              "urn:leasewire:problem:bad-token",
              "urn:leasewire:problem:bad-signature",
              "urn:leasewire:problem:unknown-source",
              "urn:leasewire:problem:not-found",
              "urn:leasewire:problem:method-not-allowed",
              "urn:leasewire:problem:too-large",
              "urn:leasewire:problem:source-not-ready",
              "urn:leasewire:problem:ledger-unavailable",
              "urn:leasewire:problem:database-unavailable",
              "urn:leasewire:problem:token-not-configured",
              "about:blank"
            ]
          },
          "title": { "type": "string", "description": "The same in words." },
          "status": {
            "type": "integer",
            "description": "The answer's status.",
            "minimum": 400,
            "maximum": 599
          },
          "detail": { "type": "string", "description": "What to do, or what is wrong with this request." }
        }
      },
      "Taken": {
        "description": "What became of a webhook.",
        "oneOf": [
          {
            "type": "object",
            "additionalProperties": false,
            "required": ["status", "seq"],
            "properties": {
              "status": {
                "type": "string",
                "description": "\`accepted\`: new and understood. \`duplicate\`: known, with the first one's number. \`quarantined\`: kept, but not understood. \`ignored\`: kept, but left out by the source's filters.",
                "enum": ["accepted", "duplicate", "quarantined", "ignored"]
              },
              "seq": { "type": "integer", "description": "The event's number in its ledger.", "minimum": 1 }
            }
          },
          {
            "type": "object",
            "additionalProperties": false,
            "required": ["status"],
            "properties": {
              "status": { "const": "pong", "description": "A connectivity test, about nothing." }
            }
          }
        ]
      },
      "Health": {
        "type": "object",
        "additionalProperties": false,
        "required": ["status", "version"],
        "properties": {
          "status": { "const": "ok" },
          "version": { "type": "string", "description": "Of the gateway." }
        }
      },
      "Integration": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "source",
          "integration",
          "last_seq",
          "first_synced_at",
          "last_synced_at",
          "last_event_at"
        ],
        "properties": {
          "source": { "type": "string" },
          "integration": { "type": "string" },
          "last_seq": {
            "type": "integer",
            "description": "The last number given, as D1 knows it.",
            "minimum": 0
          },
          "first_synced_at": {
            "type": ["string", "null"],
            "description": "When the first synchronisation ended.",
            "format": "date-time"
          },
          "last_synced_at": {
            "type": ["string", "null"],
            "description": "When the latest one ended.",
            "format": "date-time"
          },
          "last_event_at": {
            "type": ["string", "null"],
            "description": "When the last new event was received.",
            "format": "date-time"
          }
        }
      },
      "IntegrationPage": {
        "type": "object",
        "additionalProperties": false,
        "required": ["integrations", "next"],
        "properties": {
          "integrations": {
            "type": "array",
            "items": { "$ref": "#/components/schemas/Integration" },
            "maxItems": 500
          },
          "next": {
            "type": ["string", "null"],
            "description": "The \`after\` of the next page; null on the last."
          }
        }
      },
      "State": {
        "type": "object",
        "description": "A ledger's own state.",
        "additionalProperties": false,
        "required": [
          "source",
          "integration",
          "last_seq",
          "confirmed_seq",
          "pending",
          "unconfirmed",
          "dead",
          "quarantined",
          "oldest_unconfirmed_at",
          "first_synced_at",
          "last_synced_at",
          "last_event_at"
        ],
        "properties": {
          "source": { "type": "string" },
          "integration": { "type": "string" },
          "last_seq": { "type": "integer", "description": "The last number given.", "minimum": 0 },
          "confirmed_seq": {
            "type": "integer",
            "description": "All up to here is settled: confirmed, dead, quarantined or ignored.",
            "minimum": 0
          },
          "pending": { "type": "integer", "description": "Events not yet handed to the queue.", "minimum": 0 },
          "unconfirmed": {
            "type": "integer",
            "description": "Events handed to the queue and not confirmed.",
            "minimum": 0
          },
          "dead": {
            "type": "integer",
            "description": "Events in packs that could not be applied.",
            "minimum": 0
          },
          "quarantined": {
            "type": "integer",
            "description": "Events not understood, or that can't be applied.",
            "minimum": 0
          },
          "oldest_unconfirmed_at": {
            "type": ["string", "null"],
            "description": "Since when the oldest event has been waiting for its confirmation.",
            "format": "date-time"
          },
          "first_synced_at": {
            "type": ["string", "null"],
            "description": "When the first synchronisation ended.",
            "format": "date-time"
          },
          "last_synced_at": {
            "type": ["string", "null"],
            "description": "When the latest one ended.",
            "format": "date-time"
          },
          "last_event_at": {
            "type": ["string", "null"],
            "description": "When the last new event was received.",
            "format": "date-time"
          },
          "replay": { "$ref": "#/components/schemas/Progress" }
        }
      },
      "Progress": {
        "type": "object",
        "description": "How the replay goes that was asked for last.",
        "additionalProperties": false,
        "required": ["replay", "from", "to", "count", "done", "asked_at", "ended_at"],
        "properties": {
          "replay": {
            "type": "integer",
            "description": "Its number, 1 for the integration's first.",
            "minimum": 1
          },
          "from": { "type": "integer", "description": "The first event.", "minimum": 1 },
          "to": { "type": "integer", "description": "The last event.", "minimum": 1 },
          "count": { "type": "integer", "description": "Events to look at.", "minimum": 0 },
          "done": { "type": "integer", "description": "Events looked at.", "minimum": 0 },
          "asked_at": { "type": "string", "description": "When it was asked for.", "format": "date-time" },
          "ended_at": {
            "type": ["string", "null"],
            "description": "When it ended; null while it goes on.",
            "format": "date-time"
          }
        }
      },
      "Record": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "source",
          "integration",
          "model",
          "record_id",
          "version",
          "fields",
          "partial",
          "drift",
          "occurred_at",
          "updated_at"
        ],
        "properties": {
          "source": { "type": "string" },
          "integration": { "type": "string" },
          "model": { "type": "string" },
          "record_id": { "type": "string" },
          "version": { "type": "integer", "description": "Number of the last event folded in.", "minimum": 1 },
          "fields": {
            "type": "object",
            "description": "All that is known; numbers keep the provider's text."
          },
          "partial": { "type": "boolean", "description": "Only some of the fields are known." },
          "drift": { "type": "boolean", "description": "The provider contradicted what is known." },
          "occurred_at": {
            "type": "string",
            "description": "When the event \`version\` happened, or was received.",
            "format": "date-time"
          },
          "updated_at": {
            "type": "string",
            "description": "When the record was written.",
            "format": "date-time"
          }
        }
      },
      "RecordPage": {
        "type": "object",
        "additionalProperties": false,
        "required": ["records", "next"],
        "properties": {
          "records": { "type": "array", "items": { "$ref": "#/components/schemas/Record" }, "maxItems": 500 },
          "next": {
            "type": ["string", "null"],
            "description": "The \`after\` of the next page; null on the last."
          }
        }
      },
      "Entry": {
        "type": "object",
        "description": "An event in the history.",
        "additionalProperties": false,
        "required": [
          "seq",
          "status",
          "event",
          "kind",
          "model",
          "record_id",
          "occurred_at",
          "received_at",
          "bytes"
        ],
        "properties": {
          "seq": { "type": "integer", "description": "Its number in the ledger.", "minimum": 1 },
          "status": {
            "type": "string",
            "description": "How far it has come.",
            "enum": ["pending", "sent", "confirmed", "dead", "quarantined", "ignored"]
          },
          "event": {
            "type": ["string", "null"],
            "description": "The provider's name of it, where it has one."
          },
          "kind": {
            "description": "What kind of news it is; null if it isn't understood.",
            "enum": [
              "record.created",
              "record.updated",
              "record.snapshot",
              "sync.first_completed",
              "sync.completed",
              "job.failed",
              "job.succeeded",
              "write.failed",
              "event",
              null
            ]
          },
          "model": { "type": ["string", "null"], "description": "Model of the record that it is about." },
          "record_id": { "type": ["string", "null"], "description": "Id of that record." },
          "occurred_at": {
            "type": ["string", "null"],
            "description": "When it happened, where the provider states it.",
            "format": "date-time"
          },
          "received_at": { "type": "string", "description": "When it was received.", "format": "date-time" },
          "bytes": {
            "type": "integer",
            "description": "Size of the raw body.",
            "minimum": 0,
            "maximum": 1048576
          },
          "replay": { "const": true, "description": "A replay has written it anew." },
          "reason": {
            "type": "string",
            "description": "Why it is in quarantine or ignored: what isn't understood, \`not_applied\` for an event that makes every pack fail, or the filter that leaves it out.",
            "enum": [
              "not_utf8",
              "not_json",
              "not_an_object",
              "too_deep",
              "unknown_envelope",
              "no_record_id",
              "bad_record_id",
              "no_model",
              "bad_integration",
              "bad_time",
              "future_time",
              "too_large",
              "not_applied",
              "model",
              "event",
              "property",
              "no_property"
            ]
          },
          "test": { "const": true, "description": "It is a test event." }
        }
      },
      "EntryPage": {
        "type": "object",
        "additionalProperties": false,
        "required": ["events", "next"],
        "properties": {
          "events": { "type": "array", "items": { "$ref": "#/components/schemas/Entry" }, "maxItems": 500 },
          "next": {
            "type": ["integer", "null"],
            "description": "The \`after\` of the next page; null on the last.",
            "minimum": 1
          }
        }
      },
      "Event": {
        "type": "object",
        "description": "An event with all that is known of it.",
        "additionalProperties": false,
        "required": [
          "seq",
          "status",
          "event",
          "kind",
          "model",
          "record_id",
          "occurred_at",
          "received_at",
          "bytes",
          "body",
          "body_encoding",
          "cloudevent"
        ],
        "properties": {
          "seq": { "$ref": "#/components/schemas/Entry/properties/seq" },
          "status": { "$ref": "#/components/schemas/Entry/properties/status" },
          "event": { "$ref": "#/components/schemas/Entry/properties/event" },
          "kind": { "$ref": "#/components/schemas/Entry/properties/kind" },
          "model": { "$ref": "#/components/schemas/Entry/properties/model" },
          "record_id": { "$ref": "#/components/schemas/Entry/properties/record_id" },
          "occurred_at": { "$ref": "#/components/schemas/Entry/properties/occurred_at" },
          "received_at": { "$ref": "#/components/schemas/Entry/properties/received_at" },
          "bytes": { "$ref": "#/components/schemas/Entry/properties/bytes" },
          "replay": { "$ref": "#/components/schemas/Entry/properties/replay" },
          "reason": { "$ref": "#/components/schemas/Entry/properties/reason" },
          "test": { "$ref": "#/components/schemas/Entry/properties/test" },
          "body": {
            "type": "string",
            "description": "The raw body as it was received, as text or in base64."
          },
          "body_encoding": { "type": "string", "enum": ["utf-8", "base64"] },
          "cloudevent": {
            "description": "What is forwarded; null if nothing is.",
            "oneOf": [{ "$ref": "#/components/schemas/CloudEvent" }, { "type": "null" }]
          }
        }
      },
      "CloudEvent": {
        "type": "object",
        "description": "A forwarded event (CloudEvents 1.0).",
        "additionalProperties": false,
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "sequence", "data"],
        "properties": {
          "specversion": { "const": "1.0" },
          "id": { "type": "string", "description": "The event's number.", "pattern": "^[1-9][0-9]*$" },
          "source": { "type": "string", "description": "\`/{source}/{integration}\`, percent-encoded." },
          "type": {
            "type": "string",
            "enum": [
              "leasewire.record.created",
              "leasewire.record.updated",
              "leasewire.record.snapshot",
              "leasewire.sync.first_completed",
              "leasewire.sync.completed",
              "leasewire.job.failed",
              "leasewire.job.succeeded",
              "leasewire.write.failed",
              "leasewire.event"
            ]
          },
          "subject": {
            "type": "string",
            "description": "\`{model}/{record_id}\`; none for an event about no record."
          },
          "time": {
            "type": "string",
            "description": "When it happened, or was received.",
            "format": "date-time"
          },
          "datacontenttype": { "const": "application/json" },
          "sequence": {
            "type": "string",
            "description": "The number with leading zeros.",
            "pattern": "^[0-9]{20}$"
          },
          "partitionkey": { "type": "string", "description": "The subject." },
          "replay": { "const": true, "description": "A replay has written it anew." },
          "generation": { "type": "integer", "description": "Which replay.", "minimum": 1 },
          "data": {
            "type": "object",
            "description": "For an event about a record, \`RecordData\`; for any other, the provider's fields."
          }
        },
        "dependentRequired": {
          "subject": ["partitionkey"],
          "partitionkey": ["subject"],
          "replay": ["generation"],
          "generation": ["replay"]
        },
        "dependentSchemas": {
          "subject": { "properties": { "data": { "$ref": "#/components/schemas/RecordData" } } }
        }
      },
      "RecordData": {
        "type": "object",
        "additionalProperties": false,
        "required": [
          "event",
          "model",
          "record_id",
          "changes",
          "record",
          "version",
          "partial",
          "drift",
          "late",
          "ambiguous"
        ],
        "properties": {
          "event": { "type": ["string", "null"], "description": "The provider's name of the event." },
          "model": { "type": "string" },
          "record_id": { "type": "string" },
          "changes": {
            "type": "object",
            "description": "What changed: \`{field: {old, new}}\`, or the provider's own description."
          },
          "record": { "type": "object", "description": "The whole known record, with this event folded in." },
          "version": {
            "type": "integer",
            "description": "Number of the last event folded into the record.",
            "minimum": 1
          },
          "partial": { "type": "boolean", "description": "Only some of the record's fields are known." },
          "drift": {
            "type": "boolean",
            "description": "The record disagreed with what the provider said it was before."
          },
          "late": { "type": "boolean", "description": "Older than what the record reflects; not folded in." },
          "ambiguous": {
            "type": "boolean",
            "description": "The same bytes as an earlier event, taken for a second, real one."
          },
          "generation": {
            "type": "integer",
            "description": "The replay that made the record anew.",
            "minimum": 1
          },
          "notices": {
            "type": "array",
            "description": "Turns of a unit that this event reveals.",
            "items": { "type": "string", "enum": ["unit.occupied", "unit.vacated"] },
            "minItems": 1
          },
          "notices_at": {
            "type": "array",
            "description": "Since when, for each of them.",
            "items": { "type": "string", "format": "date-time" },
            "minItems": 1
          },
          "noticed": {
            "type": "object",
            "description": "Where a replay has made a unit anew: all of its notices that hold.",
            "additionalProperties": false,
            "required": ["from", "to", "notices"],
            "properties": {
              "from": { "type": "integer", "description": "The first event that is kept.", "minimum": 0 },
              "to": { "type": "integer", "description": "The last one.", "minimum": 0 },
              "notices": {
                "type": "array",
                "description": "Number of the event, kind and time of each.",
                "items": {
                  "type": "array",
                  "prefixItems": [
                    { "type": "integer", "minimum": 1 },
                    { "enum": ["unit.occupied", "unit.vacated"] },
                    { "type": "string", "format": "date-time" }
                  ],
                  "minItems": 3,
                  "items": false
                }
              }
            }
          }
        }
      },
      "Property": {
        "type": "object",
        "additionalProperties": false,
        "required": ["property_id", "first_seq", "first_seen_at"],
        "properties": {
          "property_id": { "type": "string" },
          "first_seq": {
            "type": "integer",
            "description": "Its first event that was left out.",
            "minimum": 1
          },
          "first_seen_at": {
            "type": "string",
            "description": "When that was received.",
            "format": "date-time"
          }
        }
      },
      "PropertyPage": {
        "type": "object",
        "additionalProperties": false,
        "required": ["properties", "next"],
        "properties": {
          "properties": {
            "type": "array",
            "items": { "$ref": "#/components/schemas/Property" },
            "maxItems": 500
          },
          "next": {
            "type": ["string", "null"],
            "description": "The \`after\` of the next page; null on the last."
          }
        }
      },
      "Pack": {
        "type": "object",
        "description": "A dead pack.",
        "additionalProperties": false,
        "required": ["first_seq", "last_seq", "events", "reason", "died_at"],
        "properties": {
          "first_seq": { "type": "integer", "description": "Its first event.", "minimum": 1 },
          "last_seq": { "type": "integer", "description": "Its last event.", "minimum": 1 },
          "events": { "type": "integer", "description": "How many it has.", "minimum": 0 },
          "reason": { "type": "string", "description": "Why it died." },
          "died_at": { "type": "string", "description": "When.", "format": "date-time" }
        }
      },
      "PackPage": {
        "type": "object",
        "additionalProperties": false,
        "required": ["packs", "next"],
        "properties": {
          "packs": { "type": "array", "items": { "$ref": "#/components/schemas/Pack" }, "maxItems": 500 },
          "next": {
            "type": ["integer", "null"],
            "description": "The \`after\` of the next page; null on the last.",
            "minimum": 1
          }
        }
      },
      "ReplayRequest": {
        "type": "object",
        "additionalProperties": false,
        "required": ["from", "to"],
        "properties": {
          "from": {
            "type": "integer",
            "description": "The first event.",
            "minimum": 1,
            "maximum": 9007199254740991
          },
          "to": {
            "type": "integer",
            "description": "The last event: one that there is, and less than 1,000,000 greater than \`from\`.",
            "minimum": 1,
            "maximum": 9007199254740991
          },
          "models": {
            "type": ["array", "null"],
            "description": "Only events about records of these models, and what isn't understood. \`*\` at the end of a name stands for all that begin so.",
            "items": { "type": "string", "minLength": 1, "pattern": "^[^*]*\\\\*?$" },
            "minItems": 1
          },
          "events": {
            "type": ["array", "null"],
            "description": "Only events of these names or kinds, and what isn't understood.",
            "items": { "type": "string", "minLength": 1, "pattern": "^[^*]*\\\\*?$" },
            "minItems": 1
          }
        }
      },
      "RedriveRequest": {
        "type": "object",
        "additionalProperties": false,
        "required": [],
        "properties": {
          "from": {
            "type": ["integer", "null"],
            "description": "The first event; 1 if not given.",
            "minimum": 1,
            "maximum": 9007199254740991
          },
          "to": {
            "type": ["integer", "null"],
            "description": "The last event; the last of all if not given.",
            "minimum": 1,
            "maximum": 9007199254740991
          }
        }
      },
      "Redriven": {
        "type": "object",
        "additionalProperties": false,
        "required": ["packs", "events"],
        "properties": {
          "packs": { "type": "integer", "description": "How many are sent again.", "minimum": 0 },
          "events": { "type": "integer", "description": "How many events they have.", "minimum": 0 }
        }
      },
      "TestRequest": {
        "type": "object",
        "additionalProperties": false,
        "required": [],
        "properties": {
          "event": {
            "type": "string",
            "description": "The provider's name of an event, at most 256 bytes; a new record if not given.",
            "minLength": 1,
            "maxLength": 256
          },
          "payload": { "type": "object", "description": "Fields of the record; a sample if not given." }
        }
      },
      "TestReport": {
        "type": "object",
        "description": "What was sent, and what the gateway answered.",
        "additionalProperties": false,
        "required": ["request", "response"],
        "properties": {
          "request": {
            "type": "object",
            "additionalProperties": false,
            "required": ["method", "path", "headers", "body"],
            "properties": {
              "method": { "const": "POST" },
              "path": { "type": "string" },
              "headers": { "type": "object", "additionalProperties": { "type": "string" } },
              "body": { "type": "string" }
            }
          },
          "response": {
            "type": "object",
            "additionalProperties": false,
            "required": ["status", "body"],
            "properties": {
              "status": { "type": "integer", "minimum": 200, "maximum": 599 },
              "body": {
                "oneOf": [
                  { "$ref": "#/components/schemas/Taken" },
                  { "$ref": "#/components/schemas/Problem" }
                ]
              }
            }
          }
        }
      },
      "Secret": {
        "type": "object",
        "description": "A secret's binding; never a value.",
        "additionalProperties": false,
        "required": ["binding", "set", "values"],
        "properties": {
          "binding": { "type": "string", "description": "Its name." },
          "set": { "type": "boolean", "description": "Whether it has a value." },
          "values": {
            "type": "array",
            "items": {
              "type": "object",
              "additionalProperties": false,
              "required": ["position", "last_used_at"],
              "properties": {
                "position": {
                  "type": "integer",
                  "description": "1 for the source's first value.",
                  "minimum": 1
                },
                "last_used_at": {
                  "type": ["string", "null"],
                  "description": "To within ten minutes.",
                  "format": "date-time"
                }
              }
            }
          }
        }
      },
      "Source": {
        "type": "object",
        "description": "Its settings, unless they are refused; then the \`problem\` alone.",
        "additionalProperties": false,
        "required": ["name"],
        "properties": {
          "name": { "type": "string" },
          "dialect": { "type": "string", "enum": ["propexo", "propify", "meterbase", "real-estate"] },
          "default_integration": {
            "type": "string",
            "description": "Where a delivery goes that names no integration."
          },
          "accepted_age_s": {
            "type": ["integer", "null"],
            "description": "How old a signed time may be; null where none is signed.",
            "minimum": 1
          },
          "dedupe_window_s": {
            "type": "integer",
            "description": "How long an identical delivery counts as a repetition.",
            "minimum": 1
          },
          "retention_days": {
            "type": "integer",
            "description": "How long the history keeps a confirmed event.",
            "minimum": 1
          },
          "filters": {
            "type": "object",
            "description": "Null lets everything through.",
            "additionalProperties": false,
            "required": ["models", "events", "properties"],
            "properties": {
              "models": { "type": ["array", "null"], "items": { "type": "string" } },
              "events": { "type": ["array", "null"], "items": { "type": "string" } },
              "properties": { "type": ["array", "null"], "items": { "type": "string" } }
            }
          },
          "secrets": { "type": "array", "items": { "$ref": "#/components/schemas/Secret" }, "minItems": 1 },
          "problem": { "type": "string", "description": "Why it can't be used." }
        },
        "dependentRequired": {
          "dialect": [
            "default_integration",
            "accepted_age_s",
            "dedupe_window_s",
            "retention_days",
            "filters",
            "secrets"
          ]
        },
        "anyOf": [{ "required": ["dialect"] }, { "required": ["problem"] }]
      },
      "SourceList": {
        "type": "object",
        "additionalProperties": false,
        "required": ["sources"],
        "properties": {
          "sources": { "type": "array", "items": { "$ref": "#/components/schemas/Source" } },
          "problem": { "type": "string", "description": "Why the configuration as a whole can't be read." }
        }
      },
      "Notice": {
        "type": "object",
        "additionalProperties": false,
        "required": ["source", "integration", "seq", "kind", "model", "record_id", "at"],
        "properties": {
          "source": { "type": "string" },
          "integration": { "type": "string" },
          "seq": { "type": "integer", "description": "The event that revealed it.", "minimum": 1 },
          "kind": { "type": "string", "enum": ["unit.occupied", "unit.vacated"] },
          "model": { "type": "string" },
          "record_id": { "type": "string" },
          "at": { "type": "string", "description": "Since when.", "format": "date-time" }
        }
      },
      "NoticePage": {
        "type": "object",
        "additionalProperties": false,
        "required": ["notices", "next"],
        "properties": {
          "notices": { "type": "array", "items": { "$ref": "#/components/schemas/Notice" }, "maxItems": 500 },
          "next": {
            "type": ["string", "null"],
            "description": "The \`after\` of the next page; null on the last."
          }
        }
      }
    }
  }
}
`;var Ie=new ArrayBuffer(0),J=1e4,G=0;function V(n){G+=1;let e=G>>>0;return n.then(t=>F(e,!0,t),t=>F(e,!1,t)),e}function Z(n,e){let t=n.headers.get("content-length");return t===null?je(n,e):Number(t)>e?Promise.resolve(null):n.arrayBuffer()}async function je(n,e){if(n.body===null)return Ie;let t=n.body.getReader(),r=[],s=0;for(;;){let{done:i,value:a}=await t.read();if(i)break;if(s+=a.byteLength,s>e)return t.cancel().catch(()=>{}),null;r.push(a)}return new Blob(r).arrayBuffer()}var X=(n,e)=>n.headers.get(e),K=new Map;function Q(n,e,t,r,s){if(r)return new Response(t,{status:n,headers:{"content-type":e,[r]:s}});let i=K.get(e);return i||K.set(e,i=new Headers({"content-type":e})),new Response(t,{status:n,headers:i})}var Y=()=>H;function ee(n,e,t){return new Request(`http://localhost${n}`,{method:"POST",headers:e,body:t})}function te(n){let e;return n.waitUntil(new Promise(t=>e=t)),e}async function ne(n,e,t,r){let s=Date.now()+r;for(let i=!1;;i=!0)try{let a=n.get(n.idFromName(e));return await E(s-Date.now(),a.call(t))}catch(a){if(i||!a.retryable||a.overloaded)throw a}}async function re(n,e,t){let r=e.map(s=>({body:s,contentType:"text"}));await E(t,n.sendBatch(r))}function se(n,e){n.transactionSync(()=>{if(!e())throw new Error("rolled back")})}function oe(n,e,t){return n.exec(e,...t).raw().toArray()}function ie(n,e,t){n.exec(e,...t)}function ae(n,e){n.setAlarm(e).catch(()=>{})}function ce(n){n.deleteAlarm().catch(()=>{})}async function pe(n){return n.getAlarm()}async function de(n,e){let t=e.map(([r,...s])=>n.prepare(r).bind(...s));await E(J,n.batch(t))}async function _e(n,[e,...t]){let r=n.prepare(e).bind(...t).raw();return JSON.stringify(await E(J,r))}function le(n){return new Promise(e=>setTimeout(e,n))}function E(n,e){return new Promise((t,r)=>{let s=setTimeout(()=>r(new Error(`no answer within ${n} ms`)),n);e.then(i=>{clearTimeout(s),t(i)},i=>{clearTimeout(s),r(i)})})}var ue=globalThis.__worker_init_state={criticalError:!1,instanceId:0};import he from"./index_bg.wasm";var W=class{__destroy_into_raw(){let e=this.__wbg_ptr;return this.__wbg_ptr=0,me.unregister(this),e}free(){let e=this.__destroy_into_raw();m();try{o.__wbg_ledger_free(e,0)}catch(t){u(t)}}alarm(){if(this.__wbg_inst!==void 0&&this.__wbg_inst!==g)throw new Error("Invalid stale object from previous Wasm instance");m();try{o.ledger_alarm(this.__wbg_ptr)}catch(e){u(e)}}call(e,t,r){if(this.__wbg_inst!==void 0&&this.__wbg_inst!==g)throw new Error("Invalid stale object from previous Wasm instance");let s=ke(e,o.__wbindgen_malloc),i=d;m();try{o.ledger_call(this.__wbg_ptr,s,i,t,r)}catch(a){u(a)}}constructor(e,t){let r;m();try{r=o.ledger_new(e,t)}catch(s){u(s)}return this.__wbg_ptr=r,Object.defineProperty(this,"__wbg_inst",{value:g,writable:!0}),me.register(this,{ptr:r,instance:g},this),this}};function S(){g++,y=null,x=null,q=null,typeof numBytesDecoded<"u"&&(numBytesDecoded=0),typeof d<"u"&&(d=0),L=!1,M=!1,U=new WebAssembly.Instance(he,ve()),o=U.exports,o.__wbindgen_start()}function ge(){let n;m();try{n=o.__worker_init_state()}catch(e){u(e)}return n}function be(n,e,t,r,s,i){let a=h(e,o.__wbindgen_malloc,o.__wbindgen_realloc),c=d,p=h(t,o.__wbindgen_malloc,o.__wbindgen_realloc),b=d;m();try{o.fetch(n,a,c,p,b,r,s,i)}catch(k){u(k)}}function we(n,e,t,r,s){let i=ke(n,o.__wbindgen_malloc),a=d,c=h(e,o.__wbindgen_malloc,o.__wbindgen_realloc),p=d;m();try{o.queue(i,a,c,p,t,r,s)}catch(b){u(b)}}function F(n,e,t){m();try{o.settled(n,e,t)}catch(r){u(r)}}function ye(n,e){m();try{o.sweep(n,e)}catch(t){u(t)}}function ve(){return{__proto__:null,"./index_bg.js":{__proto__:null,__wbg_Error_30c8987f7c2ed4e2:function(e,t){return Error(l(e,t))},__wbg___wbindgen_is_function_1f9d30630b8b1d3d:function(e){return typeof e=="function"},__wbg___wbindgen_is_null_e343b7d08827ba72:function(e){return e===null},__wbg___wbindgen_is_undefined_8865fb403f8fe9d8:function(e){return e===void 0},__wbg___wbindgen_number_get_2e0e7dee9f701a71:function(e,t){let r=t,s=typeof r=="number"?r:void 0;_().setFloat64(e+8,f(s)?0:s,!0),_().setInt32(e+0,!f(s),!0)},__wbg___wbindgen_reinit_3f79fdb34dee3ea9:function(){},__wbg___wbindgen_string_get_0380ccaa2f57f0d9:function(e,t){let r=t,s=typeof r=="string"?r:void 0;var i=f(s)?0:h(s,o.__wbindgen_malloc,o.__wbindgen_realloc),a=d;_().setInt32(e+4,a,!0),_().setInt32(e+0,i,!0)},__wbg___wbindgen_throw_41e9ee4f547fc59a:function(e,t){throw new WebAssembly.Exception(B,[new Error(l(e,t))])},__wbg__wbg_cb_unref_dcc1a90847f04c41:function(e){e._wbg_cb_unref()},__wbg_ack_7b6b386461f37e32:function(e){e.ack()},__wbg_arm_2bada351e803c4ba:function(e,t){ae(e,t)},__wbg_armedFor_8799502b07777d3d:function(e){return pe(e)},__wbg_batch_743e093a67a4cff9:function(e,t){return de(e,t)},__wbg_body_7d841bc72644d2cb:function(e){return e.body},__wbg_buffer_56ec2905a66f58b9:function(e){return e.buffer},__wbg_byobRequest_54f7ce41d584549a:function(e){let t=e.byobRequest;return f(t)?0:w(t)},__wbg_byteLength_9f985b8373f1f3fe:function(e){return e.byteLength},__wbg_byteOffset_0bd5a6a03553639c:function(e){return e.byteOffset},__wbg_callLedger_4002507a36a55f91:function(e,t,r,s,i){return ne(e,l(t,r),s,i>>>0)},__wbg_call_187d372bd5fdd4aa:function(e,t,r){return e.call(t,r)},__wbg_close_185286988f30f252:function(e){e.close()},__wbg_close_748f26698dabe269:function(e){e.close()},__wbg_description_1fe0af8dac7d1c98:function(e){let t=Y(),r=h(t,o.__wbindgen_malloc,o.__wbindgen_realloc),s=d;_().setInt32(e+4,s,!0),_().setInt32(e+0,r,!0)},__wbg_disarm_484f202ac13e9067:function(e){ce(e)},__wbg_enqueue_4a01c128f9a0de16:function(e,t){e.enqueue(t)},__wbg_error_757e9472f8410341:function(e,t){let r,s;try{r=e,s=t,console.error(l(e,t))}finally{m();try{o.__wbindgen_free(r,s,1)}catch(i){u(i)}}},__wbg_error_a30e98d44009f1bb:function(e,t){console.error(e,t)},__wbg_error_c9cf3fc2064683a9:function(e){console.error(e)},__wbg_getRandomValues_436a51d0629d84e1:function(e,t){globalThis.crypto.getRandomValues(A(e,t))},__wbg_getTime_f5a55efff2585d5d:function(e){return e.getTime()},__wbg_get_31af05bd4842a84f:function(e,t){return Reflect.get(e,t)},__wbg_get_6c896e0571ddae51:function(e,t){return e[t>>>0]},__wbg_get_unchecked_288889d017702237:function(e,t){return e[t>>>0]},__wbg_header_06e2dae75305a8e7:function(e,t,r,s){let i=X(t,l(r,s));var a=f(i)?0:h(i,o.__wbindgen_malloc,o.__wbindgen_realloc),c=d;_().setInt32(e+4,c,!0),_().setInt32(e+0,a,!0)},__wbg_instanceId_9b67ff33ae8bef8a:function(e){return e.instanceId},__wbg_instanceof_ArrayBuffer_a99f175873e5d9b8:function(e){let t;try{t=e instanceof ArrayBuffer}catch{t=!1}return t},__wbg_keepUp_b57b2cd9882ca8fb:function(e){return te(e)},__wbg_length_7f3c00c40364105e:function(e){return e.length},__wbg_length_d4bdea10311bd9cf:function(e){return e.length},__wbg_log_17c30ef363c61cf4:function(e){console.log(e)},__wbg_method_6d02ee0808a7de31:function(e,t){let r=t.method,s=h(r,o.__wbindgen_malloc,o.__wbindgen_realloc),i=d;_().setInt32(e+4,i,!0),_().setInt32(e+0,s,!0)},__wbg_newRequest_7fc2e44e6c44bfea:function(e,t,r,s,i){return ee(l(e,t),r,l(s,i))},__wbg_new_1dbf7428bba60a42:function(e){return new Uint8Array(e)},__wbg_new_227d7c05414eb861:function(){return new Error},__wbg_new_343a093a3c2ffb4e:function(e,t){return new Error(l(e,t))},__wbg_new_ee2291f50781bf1d:function(){return new Array},__wbg_new_from_slice_9a868026ffa4208a:function(e,t){return new Uint8Array(A(e,t))},__wbg_new_typed_b01cb72a8af741a3:function(e,t){try{var r={a:e,b:t},s=(a,c)=>{let p=r.a;r.a=0;try{return Ae(p,r.b,a,c)}finally{r.a=p}};return new Promise(s)}finally{r.a=0}},__wbg_new_with_byte_offset_and_length_2f5d7fc2a828b74d:function(e,t,r){return new Uint8Array(e,t>>>0,r>>>0)},__wbg_now_aa4ccb83129e9e55:function(){return Date.now()},__wbg_of_20798cb14708764f:function(e,t){return Array.of(e,t)},__wbg_prototypesetcall_bc27214492979395:function(e,t,r){Uint8Array.prototype.set.call(A(e,t),r)},__wbg_push_2baf45db356cf468:function(e,t){return e.push(t)},__wbg_queueMicrotask_9833f9a49df95a49:function(e){return e.queueMicrotask},__wbg_queueMicrotask_a72f977e97f23c5f:function(e){queueMicrotask(e)},__wbg_readBody_4b8d7d41e32f14d7:function(e,t){return Z(e,t>>>0)},__wbg_resolve_0076e10020304ede:function(e){return Promise.resolve(e)},__wbg_respond_b0486f0276a325f7:function(e,t,r,s,i,a,c,p,b){return Q(e,l(t,r),l(s,i),a===0?void 0:l(a,c),p===0?void 0:l(p,b))},__wbg_respond_c102fabcc79e5ef0:function(e,t){e.respond(t>>>0)},__wbg_retry_9051b0b206a27925:function(e,t){e.retry(t)},__wbg_rows_547b899082dff9ee:function(e,t,r){return oe(e,t,r)},__wbg_run_f9effb9e893f3f36:function(e,t,r){ie(e,t,r)},__wbg_select_9face8ee3f6cf0cb:function(e,t){return _e(e,t)},__wbg_sendPacks_81c7c280d9c7b16a:function(e,t,r){return re(e,t,r>>>0)},__wbg_set_575d3ddb70fe831d:function(e,t,r){e.set(A(t,r))},__wbg_set_criticalError_3904d60fe2a0b05b:function(e,t){e.criticalError=t!==0},__wbg_set_instanceId_9ad5caac0a4e519c:function(e,t){e.instanceId=t>>>0},__wbg_sleep_3a1e519a45293912:function(e){return le(e>>>0)},__wbg_stack_3b0d974bbf31e44f:function(e,t){let r=t.stack,s=h(r,o.__wbindgen_malloc,o.__wbindgen_realloc),i=d;_().setInt32(e+4,i,!0),_().setInt32(e+0,s,!0)},__wbg_static_accessor_GLOBAL_266715b9d96ba635:function(){let e=typeof global>"u"?null:global;return f(e)?0:w(e)},__wbg_static_accessor_GLOBAL_THIS_10fb7dc1ae063179:function(){let e=typeof globalThis>"u"?null:globalThis;return f(e)?0:w(e)},__wbg_static_accessor_INIT_STATE_e3fce2ad8a08e94e:function(){return ue},__wbg_static_accessor_SELF_0b583911f537483a:function(){let e=typeof self>"u"?null:self;return f(e)?0:w(e)},__wbg_static_accessor_WINDOW_d7f903d1508cbdc4:function(){let e=typeof window>"u"?null:window;return f(e)?0:w(e)},__wbg_stringify_52ff602c1cc4fbb6:function(e){return JSON.stringify(e)},__wbg_then_e71170d78fcf8954:function(e,t){return e.then(t)},__wbg_timestamp_a4629e0f9af85800:function(e){return e.timestamp},__wbg_transaction_2e7afe9c7881ed42:function(e,t,r){try{var s={a:t,b:r},i=()=>{let a=s.a;s.a=0;try{return Pe(a,s.b)}finally{s.a=a}};se(e,i)}finally{s.a=0}},__wbg_url_7bfada5c2297bc70:function(e,t){let r=t.url,s=h(r,o.__wbindgen_malloc,o.__wbindgen_realloc),i=d;_().setInt32(e+4,i,!0),_().setInt32(e+0,s,!0)},__wbg_view_9c570f33e8d6ab96:function(e){let t=e.view;return f(t)?0:w(t)},__wbg_warn_13abc63e0d4b3527:function(e){console.warn(e)},__wbg_whenSettled_824a2fa17fe5ed09:function(e){return V(e)},__wbindgen_generic_0000000000000001:function(e,t){return We(e,t,Ee)},__wbindgen_generic_0000000000000002:function(e){return e},__wbindgen_generic_0000000000000003:function(e,t){return l(e,t)},__wbindgen_init_externref_table:function(){let e=o.__wbindgen_externrefs,t=e.grow(4);e.set(0,void 0),e.set(t+0,void 0),e.set(t+1,null),e.set(t+2,!0),e.set(t+3,!1)},__wbindgen_jstag:WebAssembly.JSTag,__wbindgen_rethrow_critical:function(e){throw new Error("Critical error",{cause:e})}}}}var B=new WebAssembly.Tag({parameters:["externref"]}),O,L=!1;function $e(){L=!0;try{let n=D()[o.__abort_handler.value/4];n&&o.__wbindgen_export.get(n)()}catch{}}function u(n){throw n instanceof WebAssembly.Exception&&n.is(B)?n.getArg(B,0):(D()[O]=1,$e(),n)}function m(){if(O??=o.__instance_terminated.value/4,D()[O]){if(L||$e(),M){S();return}throw new Error("Module terminated")}else M&&S()}function Pe(n,e){let t;m();try{t=o.wasm_bindgen__convert__closures_____invoke__h555212fc3582a8c5(n,e)}catch(r){u(r)}return t!==0}function Ee(n,e,t){let r;m();try{r=o.wasm_bindgen__convert__closures_____invoke__h43eb097731604dbd(n,e,t)}catch(s){u(s)}if(r[1])throw Se(r[0])}function Ae(n,e,t,r){m();try{o.wasm_bindgen__convert__closures_____invoke__h74fd1ecd57047c55(n,e,t,r)}catch(s){u(s)}}var g=0;var me=typeof FinalizationRegistry>"u"?{register:()=>{},unregister:()=>{}}:new FinalizationRegistry(({ptr:n,instance:e})=>{e===g&&o.__wbg_ledger_free(n,1)});function w(n){let e=o.__externref_table_alloc();return o.__wbindgen_externrefs.set(e,n),e}var fe=typeof FinalizationRegistry>"u"?{register:()=>{},unregister:()=>{}}:new FinalizationRegistry(n=>{n.instance===g&&o.__wbindgen_destroy_closure(n.a,n.b)});function A(n,e){return n=n>>>0,v().subarray(n/1,n/1+e)}var y=null;function _(){return(y===null||y.buffer.detached===!0||y.buffer.detached===void 0&&y.buffer!==o.memory.buffer)&&(y=new DataView(o.memory.buffer)),y}var x=null;function D(){return(x===null||x.byteLength===0)&&(x=new Int32Array(o.memory.buffer)),x}function l(n,e){return Re(n>>>0,e)}var q=null;function v(){return(q===null||q.byteLength===0)&&(q=new Uint8Array(o.memory.buffer)),q}function f(n){return n==null}function We(n,e,t){let r={a:n,b:e,cnt:1,instance:g},s=(...i)=>{if(r.instance!==g)throw new Error("Cannot invoke closure from previous WASM instance");r.cnt++;let a=r.a;r.a=0;try{return t(a,r.b,...i)}finally{r.a=a,s._wbg_cb_unref()}};return s._wbg_cb_unref=()=>{--r.cnt===0&&(o.__wbindgen_destroy_closure(r.a,r.b),r.a=0,fe.unregister(r))},fe.register(s,r,r),s}function ke(n,e){let t=e(n.length*4,4)>>>0;for(let r=0;r<n.length;r++){let s=w(n[r]);_().setUint32(t+4*r,s,!0)}return d=n.length,t}function h(n,e,t){if(n.length>128){let c=n.length,p=e(c,1)>>>0,b=(j,P)=>$.encodeInto(j,v().subarray(p+P,p+c)),{read:k,written:T}=b(n,0);if(k<n.length){let j=n.slice(k),P=T+3*j.length;p=t(p,c,P,1)>>>0,c=P,T+=b(j,T).written,p=t(p,c,T,1)>>>0}return d=T,p}if(t===void 0){let c=$.encode(n),p=e(c.length,1)>>>0;return v().subarray(p,p+c.length).set(c),d=c.length,p}let r=n.length,s=e(r,1)>>>0,i=v(),a=0;for(;a<r;a++){let c=n.charCodeAt(a);if(c>127)break;i[s+a]=c}if(a!==r){a!==0&&(n=n.slice(a)),s=t(s,r,r=a+n.length*3,1)>>>0;let c=v().subarray(s+a,s+r),p=$.encodeInto(n,c);a+=p.written,s=t(s,r,a,1)>>>0}return d=a,s}var M=!1;function Se(n){let e=o.__wbindgen_externrefs.get(n);return o.__externref_table_dealloc(n),e}var Te=new TextDecoder("utf-8",{ignoreBOM:!0,fatal:!0});Te.decode();function Re(n,e){return Te.decode(v().subarray(n,n+e))}var $=new TextEncoder;"encodeInto"in $||($.encodeInto=function(n,e){let t=$.encode(n);return e.set(t),{read:n.length,written:t.length}});var d=0,U=new WebAssembly.Instance(he,ve()),o=U.exports;o.__wbindgen_start();var z=1,R=!1,N=new Set;function C(n){if(!R){R=!0;for(let e of N)e(new Error("the wasm instance has ended",{cause:n}));N.clear()}}Object.defineProperty(ge(),"criticalError",{set:n=>n&&C("a panic")});addEventListener("unhandledrejection",({reason:n})=>{(n instanceof WebAssembly.RuntimeError||n instanceof RangeError)&&C(n)});function I(n){return new Promise((e,t)=>{R&&(S(),z+=1,R=!1);let r=s=>i=>{N.delete(t),s(i)};N.add(t);try{n(r(e),r(t))}catch(s){C(s)}})}var Ge={async fetch(n,e,t){try{return await I(r=>be(n,n.method,n.url,e,t,r))}catch(r){console.error(JSON.stringify({level:"error",message:"request failed",error:String(r)}));let s={type:"about:blank",title:"Service Unavailable",status:503,detail:"The request could not be finished. Try again."},i={"content-type":"application/problem+json","retry-after":"1"};return new Response(JSON.stringify(s),{status:503,headers:i})}},async queue({messages:n,queue:e},t,r){await I(s=>we(n,e,t,r,s))},async scheduled(n,e){try{await I(t=>ye(e,t))}catch(t){console.error(JSON.stringify({level:"error",message:"sweep",outcome:"failed",reason:String(t)}))}}},xe=class extends Fe{#e;#t;#n;#r;constructor(e,t){super(e,t),this.#e=e,this.#t=t}call(e){return I((t,r)=>this.#s().call(e,t,r))}alarm(){return I(e=>e(this.#s().alarm()))}#s(){return this.#r!==z&&(this.#n=new W(this.#e,this.#t),this.#r=z),this.#n}};export{xe as Ledger,Ge as default};
