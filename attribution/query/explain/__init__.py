"""Why a flow, an edge or an address has its answer."""
