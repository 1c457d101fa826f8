"""Framewitness: video-manipulation forensics. The engine behind the workbench and the command line.

The package knows nothing of the browser front end. Data flows one way through its packages:
evidence -> faces -> models -> registry -> analysis -> explain -> cases -> report.
"""

__version__ = "0.2.0"
