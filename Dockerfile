FROM python:3.12-slim
WORKDIR /opt/framewitness
COPY requirements.txt requirements.lock ./
# The headless OpenCV wheel goes last: it needs no window libraries (see Makefile).
RUN pip install --no-cache-dir -c requirements.lock -r requirements.txt \
 && pip install --no-cache-dir -c requirements.lock --force-reinstall --no-deps opencv-python-headless
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .
RUN useradd --create-home analyst && mkdir /data && chown analyst /data
USER analyst
# Cases and evidence live in /data: mount a volume there. Publish the port to the loopback interface only, e.g.
#   docker run -p 127.0.0.1:8501:8501 -v framewitness:/data framewitness
ENV FRAMEWITNESS_HOME=/data
EXPOSE 8501
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/healthz', timeout=3)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
