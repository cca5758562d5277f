"""The tests, in tiers: unit, contract, api, engine, chart, flow."""
