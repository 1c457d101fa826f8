"""From scores with known truth to the strength of evidence: sets, calibrators, likelihood ratios, errors."""
