"""Intervals for means and new observations beyond the delta method.

================  =================================================================================
``conformal``     intervals for new observations from residuals of rows left out
``leave_out``     the estimates that leave rows out, and their residuals
``local_scale``   how the spread of the disturbance moves with the regressors
``laplace``       normal approximation of the posterior around the estimate
``resampled``     percentile and basic intervals from bootstrap draws
================  =================================================================================
"""
