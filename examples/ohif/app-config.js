/** OHIF's own `app-config.js`, with the package's mode and a study in DICOM JSON; a PACS is one more entry in `dataSources`. */
window.config = {
  routerBasename: null,
  extensions: [],
  // the mode brings its extension
  modes: ['/packages/clip-lung/dist/adapters/ohif-mode.js'],
  // where the model directory is served
  clipLung: { model: '/models/clip-lung' },
  customizationService: {},
  showStudyList: true,
  maxNumberOfWebWorkers: 3,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  defaultDataSourceName: 'dicomjson',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomjson',
      sourceName: 'dicomjson',
      configuration: { friendlyName: 'DICOM JSON', name: 'json' },
    },
  ],
};
